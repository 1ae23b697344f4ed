"""Turns put to a service over the wire: in order for each instance, and the report adds up."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from headgate.cli import app
from headgate.history.errors import NotClosedError
from headgate.replay.asking import Asking, ServiceAwayError
from headgate.replay.file import write
from headgate.replay.player import Way
from headgate.replay.recorded import LeftOut, RecordedTurn
from headgate.replay.report import Report
from headgate.replay.what_if import what_if
from headgate.sdk import Agent, Event, Turn
from headgate.sim.face import HeadgateSim, default_policy
from headgate.sim.sdk import SdkAgent
from headgate.testing.doubles import Doubles
from headgate.testing.serving import Serving
from tests.unit.replay.past import Order, lived, order_agent, turns_of

KEYS = ("17", "18", "19")


@pytest.fixture
def turns(headgate_sim: HeadgateSim) -> list[RecordedTurn]:
    return turns_of(headgate_sim, *(lived(headgate_sim, key) for key in KEYS))


def reported(
    turns: Iterable[RecordedTurn | LeftOut],
    endpoint: str,
    *,
    carries: bool = True,
    ms: int = 30_000,
) -> Report:
    policy = default_policy()
    policy.deadline_ms = ms

    async def play() -> Report:
        async with Asking(max_record_bytes=1_000_000) as asking:
            return await what_if(turns, asking.ask, Way(policy, endpoint), carries=carries)

    return asyncio.run(play())


def test_the_same_revision_comes_to_the_same_and_another_does_not(
    turns: list[RecordedTurn],
) -> None:
    missing = LeftOut("order/19", 99, "gone")
    with Serving(order_agent()) as served:
        same = reported([*turns, missing], served.endpoint)
    put = sum(turn.is_put for turn in turns)
    assert (same.turns, same.different, same.left_out) == (put, 0, [missing])
    with Serving(order_agent("2", tax=1)) as served:
        each = reported([*turns], served.endpoint, carries=False)
        carried = reported([*turns], served.endpoint)
    assert [instance.address for instance in each.instances] == [f"order/{key}" for key in KEYS]
    assert [len(instance.differing) for instance in each.instances] == [3, 3, 3]
    assert carried.different == carried.turns == put
    view = carried.view()
    assert view["revisions"] == {"recorded": ["1"], "replayed": ["2"]}
    assert view["turns"] == sum(instance["different"] for instance in view["instances"])
    assert view["instances"][0]["differing"][0]["differences"][0] == {
        "kind": "value", "name": "total", "change": "changed", "recorded": 5, "replayed": 6,
    }  # fmt: skip


def test_a_service_without_a_stream_is_asked_by_calls(turns: list[RecordedTurn]) -> None:
    doubles = Doubles()
    try:
        endpoint = doubles.serve("order", SdkAgent(order_agent()), has_stream=False)
        report = reported([*turns], endpoint)
    finally:
        doubles.close()
    assert (report.turns > 0, report.different) == (True, 0)


def test_a_service_that_is_not_there_ends_the_replay_with_a_sentence(
    turns: list[RecordedTurn],
) -> None:
    with Serving(order_agent()) as served:
        endpoint = served.endpoint
    with pytest.raises(ServiceAwayError, match="nothing listens there"):
        reported([*turns], endpoint, ms=500)


def test_what_reading_raises_is_raised(turns: list[RecordedTurn]) -> None:
    def read() -> Iterator[RecordedTurn | LeftOut]:
        yield turns[0]
        message = "what was before is not kept here"
        raise NotClosedError(message)

    with Serving(order_agent()) as served, pytest.raises(NotClosedError, match="not kept here"):
        reported(read(), served.endpoint)


def test_a_service_that_hangs_is_a_difference_of_its_turn(turns: list[RecordedTurn]) -> None:
    agent: Agent[Order] = Agent("order", Order)

    @agent.on("*")
    async def hang(turn: Turn[Order], event: Event) -> None:
        await asyncio.sleep(60)

    with Serving(agent) as served:
        report = reported([turns[0]], served.endpoint, ms=200)
    [found] = report.instances[0].differing
    assert "deadline_exceeded" in str(found.differences[0])


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["headgate", *arguments])
    try:
        app.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_command_tells_by_its_exit_code(
    turns: list[RecordedTurn],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("turns.jsonl"), "order", default_policy(), turns)
    given = ("replay", "--file", "turns.jsonl", "--endpoint")
    with Serving(order_agent()) as served:
        assert run(monkeypatch, *given, served.endpoint) == 0
        assert "0 different" in capsys.readouterr().out
    with Serving(order_agent("2", tax=1)) as served:
        assert run(monkeypatch, *given, served.endpoint, "--each") == 3
        told = capsys.readouterr()
        assert "turn 1: value total: 5 -> 6" in told.out
        assert told.err == ""
        assert run(monkeypatch, *given, served.endpoint, "-o", "json") == 3
        assert json.loads(capsys.readouterr().out)["mode"] == "carried"
        ignored = ("--each", "--ignore", "total", "--ignore", "order.total")
        assert run(monkeypatch, *given, served.endpoint, *ignored) == 0
        capsys.readouterr()
    assert run(monkeypatch, *given, served.endpoint) == 1
    assert "nothing listens there" in capsys.readouterr().err
    with Serving(Agent("echo")) as served:
        assert run(monkeypatch, *given, served.endpoint) == 1
    assert "does not host 'order'; it hosts echo" in capsys.readouterr().err
    assert run(monkeypatch, *given, "7071") == 1
    assert run(monkeypatch, *given, "localhost:7071", "--agent", "order") == 1
    assert run(monkeypatch, "replay", "--endpoint", "localhost:7071") == 1
    assert "which turns?" in capsys.readouterr().err
