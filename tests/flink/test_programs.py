"""Random workflows on the running job, while workers and TaskManagers die and services forget.

What a model predicts is what there is. HEADGATE_PROGRAMS says how many.
"""

from __future__ import annotations

import itertools
import os
import random
from typing import Any

import pytest

from headgate.sdk.workflow.progress import COMPLETED
from headgate.sim.face import decoded
from headgate.testing.folding import stored_of
from headgate.testing.stack import HeadgateStack
from tests.flink.kills import Kills
from tests.programs.interpreter import PROGRAM, TALLY, Outside, make_interpreter, make_tally
from tests.programs.program import TALLIES, Expected, make, predict, signals_of

pytestmark = [pytest.mark.flink, pytest.mark.chaos, pytest.mark.slow]

PROGRAMS = int(os.environ.get("HEADGATE_PROGRAMS", "100").partition("@")[0])
KILLS = 1 + PROGRAMS // 1_000


def test_random_workflows_under_kills(killed_stack: HeadgateStack) -> None:
    stack, outside = killed_stack, Outside()
    stack.attach(make_tally())
    stack.attach(make_interpreter(outside))
    programs = {f"{PROGRAM}/{n}": make(n, f"{n}") for n in range(PROGRAMS)}
    expected = Expected(workflows=0)
    results: dict[str, int] = {}
    for address, program in programs.items():
        expected.workflows += 1
        results[address] = predict(program, expected)
    deeds: list[tuple[Any, ...]] = [("start", address) for address in programs]
    for address, program in programs.items():
        key = address.partition("/")[2]
        deeds += [("signal", *found) for found in signals_of(program, key)]
    deeds += deeds
    random.Random(3).shuffle(deeds)  # noqa: S311 - an order
    stack.send(f"{TALLY}/warm", "add", 1)
    stack.history(f"{TALLY}/warm")
    cluster = stack.cluster
    nudges = itertools.count()

    def nudge() -> None:
        stack.send(f"{TALLY}/warm", "add", 1, id=f"nudge {next(nudges)}")

    kills = Kills(cluster.stack, cluster.job, seed=3, each=KILLS, nudge=nudge)
    kills.start()
    for number, (kind, *given) in enumerate(deeds):
        if kind == "start":
            stack.send(given[0], "run", programs[given[0]], id=f"run {given[0]}")
        else:
            stack.signal(f"{PROGRAM}/{given[0]}", given[1], given[2], id=f"signal {given[1]}")
        if number in {len(deeds) // 3, 2 * len(deeds) // 3}:
            # Another replica of the service: none of the runs is in its memory.
            stack.attach(make_interpreter(outside))
    kills.finish()

    waiting, found = list(programs), {}

    def all_ended() -> bool:
        # Each is looked at until it has ended, and then no more: there may be ten thousand.
        while waiting:
            values = stored_of(cluster.history(waiting[-1])).values
            if decoded(values.get("status", b"null")) != COMPLETED:
                return False
            found[waiting.pop()] = decoded(values["result"])
        return True

    cluster.await_found(all_ended, f"the end of all programs, {waiting[-1:]}")
    assert found == results
    tallies = [stack.state(f"{TALLY}/{n}") for n in range(TALLIES)]
    assert [(each.total, each.count) for each in tallies] == [
        (expected.tallies[n], expected.counts[n]) for n in range(TALLIES)
    ]
    assert sum(map(len, outside.done.values())) == expected.done
    assert sum(map(len, outside.undone.values())) == expected.undone
    assert stack.dead_letters == []
