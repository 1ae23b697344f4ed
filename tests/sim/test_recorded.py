"""Recorded turns as regression tests: a bug that is planted is found at the turn where it shows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headgate.replay.file import read, write
from headgate.replay.recorded import RecordedTurn
from headgate.sdk import Agent
from headgate.sim.agents import FlakyAgent
from headgate.sim.face import HeadgateSim, default_policy
from headgate.sim.recorded import recorded_turns, replay, replay_turn
from headgate.sim.sdk import SdkAgent
from tests.unit.replay.past import lived, order_agent, turns_of

RECORDED = Path(__file__).parent / "recorded" / "order.jsonl"
"""Recorded once, and read for ever: never edited."""


@pytest.fixture
def path(headgate_sim: HeadgateSim, tmp_path: Path) -> Path:
    path = tmp_path / "turns.jsonl"
    addresses = [lived(headgate_sim, "17"), lived(headgate_sim, "18")]
    write(path, "order", default_policy(), turns_of(headgate_sim, *addresses))
    return path


def test_the_revision_that_was_recorded_comes_to_the_same(path: Path) -> None:
    assert replay(order_agent(), path) == []
    assert replay(order_agent(), path, carry=True) == []


def test_a_planted_bug_is_found_at_its_turn(path: Path) -> None:
    """Notes are in capitals from the third turn on: the two before are as they were."""
    found = replay(order_agent(loud_from=3), path)
    assert [(each.address, each.turn) for each in found] == [("order/17", 3), ("order/18", 3)]
    [difference] = found[0].differences
    assert str(difference) == 'list notes[2:]: ["n2", "n3", "n4"] -> ["N2", "N3", "N4"]'
    assert str(found[0]) == f"order/17 turn 3\n  {difference}"
    # Carried on, it stays in the state of all turns after it.
    carried = replay(order_agent(loud_from=3), path, carry=True)
    assert min(each.turn for each in carried) == 3
    assert len(carried) > len(found)
    assert replay(order_agent(loud_from=3), path, ignored=["notes"]) == []


@pytest.mark.parametrize("turn", recorded_turns(RECORDED), ids=str)
def test_a_recorded_turn_replays(turn: RecordedTurn) -> None:
    """As users write it; this file was recorded by an earlier version."""
    assert replay_turn(order_agent(), turn) == []


def test_a_handler_that_waits_replays_too(path: Path) -> None:
    agent: Agent[Any] = Agent("order")

    @agent.on("*")
    async def nothing(turn: object, event: object) -> None:
        await asyncio.sleep(0)

    differing = {each.turn for each in replay(agent, path)}
    assert {1, 2, 3} <= differing


def test_doubles_replay_and_no_answer_is_a_failure(path: Path) -> None:
    turn = recorded_turns(path)[0]
    assert replay_turn(SdkAgent(order_agent()), turn) == []
    [verdict, *_] = replay_turn(FlakyAgent(SdkAgent(order_agent())), turn)
    assert "failed deadline_exceeded" in str(verdict)


def test_turns_of_another_agent_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="turns of agent 'order', this one is 'echo'"):
        replay(Agent("echo"), path)


def test_all_turns_of_the_file_are_there(path: Path) -> None:
    file = read(path)
    assert {turn.address for turn in file.turns} == {"order/17", "order/18"}
    assert len(recorded_turns(path)) == sum(turn.is_put for turn in file.turns)
