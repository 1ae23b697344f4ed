"""Random workflows, crashed at any moment: all that they do, they do once.

HEADGATE_PROGRAMS says how many, from which seed on: "100000" or "200@5000".
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from headgate.sdk import Agent
from headgate.sdk.workflow import engine
from headgate.sim.agents import Answer, NoAnswer
from headgate.sim.face import HeadgateSim
from headgate.sim.sdk import SdkAgent
from headgate.v1.agent_pb2 import TurnRequest
from tests.programs.interpreter import PROGRAM, TALLY, Outside, make_interpreter, make_tally
from tests.programs.program import TALLIES, Expected, FailsError, make, predict, signals_of

TOGETHER = 10
"""Programs that share a world, and its tallies."""


def batches() -> list[int]:
    count, _, first = os.environ.get("HEADGATE_PROGRAMS", "200").partition("@")
    start = int(first or 0)
    return list(range(start, start + int(count), TOGETHER))


class Losing:
    """A service whose answers get lost now and then, after it has done what they say."""

    def __init__(self, agent: Agent[Any], chance: random.Random) -> None:
        self._inner, self._chance = SdkAgent(agent), chance

    def answer(self, request: TurnRequest) -> Answer:
        """Run the turn, and perhaps say nothing of it."""
        reply = self._inner.answer(request)
        return NoAnswer.UNAVAILABLE if self._chance.random() < 0.1 else reply

    def takes_ms(self, request: TurnRequest) -> int:
        """Take a little, so that calls overlap."""
        return self._chance.randrange(5)

    def close(self) -> None:
        """End its thread."""
        self._inner.close()


def play(seed: int) -> None:
    chance = random.Random(f"play {seed}")  # noqa: S311 - to be repeated
    sim, outside = HeadgateSim(), Outside()
    sim.attach(make_tally())
    services = [Losing(make_interpreter(outside), chance)]
    sim.attach(services[0], name=PROGRAM)
    programs = {f"{PROGRAM}/{n}": make(n, f"{n}") for n in range(seed, seed + TOGETHER)}
    expected = Expected(workflows=0)
    results: dict[str, tuple[str, int | None]] = {}
    for address, program in programs.items():
        expected.workflows += 1
        try:
            results[address] = ("completed", predict(program, expected))
        except FailsError:
            results[address] = ("failed", None)
    # Started and signalled in any order, each twice, with crashes and time in between.
    deeds: list[tuple[Any, ...]] = [("start", address) for address in programs]
    for address, program in programs.items():
        key = address.partition("/")[2]
        deeds += [("signal", *found) for found in signals_of(program, key)]
    deeds += deeds
    deeds += [("crash", chance.randrange(3)) for _ in range(8)]
    deeds += [("advance", chance.uniform(0, 2)) for _ in range(8)]
    deeds += [("forget",)] * 4
    chance.shuffle(deeds)
    for kind, *given in deeds:
        match kind:
            case "start":
                sim.send(given[0], "run", programs[given[0]], id=f"run {given[0]}")
            case "signal":
                sim.signal(f"{PROGRAM}/{given[0]}", given[1], given[2], id=f"signal {given[1]}")
            case "crash":
                sim.crash(given[0])
            case "advance":
                sim.advance(given[0])
            case "forget":
                # Another replica of the service: none of the runs is in its memory.
                services.append(Losing(make_interpreter(outside), chance))
                sim.attach(services[-1], name=PROGRAM)
        if chance.random() < 0.2:
            sim.run()
    sim.advance(3_600)
    for address, result in results.items():
        state = sim.state(address)
        assert (state["status"], state.get("result")) == result, f"{address}: {state}"
    tallies = [sim.state(f"{TALLY}/{n}") for n in range(TALLIES)]
    assert {n: tally.total for n, tally in enumerate(tallies) if tally.count} == {
        n: expected.tallies[n] for n in expected.counts
    }
    assert {n: tally.count for n, tally in enumerate(tallies) if tally.count} == dict(
        expected.counts
    )
    assert sum(map(len, outside.done.values())) == expected.done
    assert sum(map(len, outside.undone.values())) == expected.undone
    for address, places in outside.undone.items():
        assert places == sorted(places, reverse=True), f"{address} undid {places}"
    assert sim.dead_letters == []
    sim.close()
    for each in services:
        each.close()


@pytest.mark.parametrize("memory", ["remembered", "forgotten"])
def test_random_workflows_do_all_once(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if memory == "forgotten":
        monkeypatch.setattr(engine, "REMEMBERED_RUNS", 0)
    for seed in batches()[memory == "forgotten" :: 2]:
        try:
            play(seed)
        except BaseException as error:
            error.add_note(f"programs from seed {seed}, {memory}")
            raise


def test_the_model_knows_what_fails() -> None:
    """A prediction that nothing ever fails, or that nothing is called, would prove little."""
    made = Expected(workflows=0)
    failed = 0
    for seed in range(300):
        try:
            predict(make(seed), made)
        except FailsError:
            failed += 1
    assert made.done > made.undone > 20
    assert made.workflows > 100
    assert all(made.counts[n] > 10 for n in range(TALLIES))
    assert failed == 0, "a failing saga is a child, so its caller goes on"
