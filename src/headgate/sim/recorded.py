"""Recorded turns as regression tests: put to an agent in memory, without Kafka, Flink or a network.

As a test of everything in a file that `headgate record` wrote:

    def test_recorded_turns():
        assert replay(agent, "turns.jsonl") == []

Or of each turn by itself:

    @pytest.mark.parametrize("turn", recorded_turns("turns.jsonl"), ids=str)
    def test_a_recorded_turn(turn):
        assert replay_turn(agent, turn) == []
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from headgate.core.identity import digest
from headgate.core.outcome import failed_reply, outcome_of
from headgate.replay.compare import Difference
from headgate.replay.file import read
from headgate.replay.player import Player, Replayed, Way, run
from headgate.replay.recorded import RecordedTurn
from headgate.replay.report import Differing
from headgate.sdk.agent import Agent
from headgate.sim.agents import NoAnswer, SimAgent
from headgate.sim.face import default_policy
from headgate.sim.invoke import MAX_RECORD_BYTES
from headgate.sim.sdk import SdkAgent
from headgate.v1.agent_pb2 import FAILURE_CODE_DEADLINE_EXCEEDED
from headgate.v1.turn_pb2 import Call, Outcome, Policy

Ignored = Collection[str]


def recorded_turns(path: str | os.PathLike[str]) -> list[RecordedTurn]:
    """Return the turns of a file that an agent was asked, each as it can be put to one by itself.

    Raises:
        RecordedFileError: it is no file of recorded turns, or damaged: the message names the line.
    """
    return [turn for turn in read(Path(path)).turns if turn.is_put]


def replay_turn(
    agent: Agent[Any] | SimAgent,
    turn: RecordedTurn,
    *,
    policy: Policy | None = None,
    ignored: Ignored = (),
) -> list[Difference]:
    """Put one turn to an agent, from the state that was recorded; return what differs.

    policy: of calls; if there is none, that of the turn's file.
    ignored: names of values, lists and timers, and types of outputs and messages, to pass over.
    """
    found = _replayed(
        agent, [turn], policy or turn.policy or default_policy(), carry=False, ignored=ignored
    )
    return [each for replayed in found for each in replayed.differences]


def replay(
    agent: Agent[Any] | SimAgent,
    path: str | os.PathLike[str],
    *,
    carry: bool = False,
    ignored: Ignored = (),
) -> list[Differing]:
    """Put all turns of a file to an agent; return those that differ, none if all is as it was.

    carry: go on from the state that this agent makes, from the first turn of each instance on, and
        see where that leads; else each turn has the state that was recorded before it.
    ignored: names of values, lists and timers, and types of outputs and messages, to pass over.

    Raises:
        RecordedFileError: see `recorded_turns`.
        ValueError: the turns are another agent's.
    """
    file = read(Path(path))
    if isinstance(agent, Agent) and agent.name != file.agent_type:
        message = f"{path} has turns of agent {file.agent_type!r}, this one is {agent.name!r}"
        raise ValueError(message)
    found = _replayed(agent, file.turns, file.policy, carry=carry, ignored=ignored)
    return [Differing.of(each) for each in found if each.differences]


def _replayed(
    agent: Agent[Any] | SimAgent,
    turns: Collection[RecordedTurn],
    policy: Policy,
    *,
    carry: bool,
    ignored: Ignored,
) -> list[Replayed]:
    way = Way(policy)
    found: list[Replayed] = []
    with _answering(agent) as asked:
        ask = _asking(asked)
        in_order = sorted(turns, key=lambda turn: (turn.address, turn.number))
        for _, its_turns in groupby(in_order, key=lambda turn: turn.address):
            player = Player(way, carries=carry, ignored=ignored)
            for turn in its_turns:
                replayed = run(player.play(turn), ask)
                if replayed is not None:
                    found.append(replayed)
    return found


@contextmanager
def _answering(agent: Agent[Any] | SimAgent) -> Iterator[SimAgent]:
    if not isinstance(agent, Agent):
        yield agent
        return
    with closing(SdkAgent(agent)) as asked:
        yield asked


def _asking(agent: SimAgent) -> Callable[[Call], Outcome]:
    def ask(call: Call) -> Outcome:
        request = call.request
        answer = agent.answer(request)
        if isinstance(answer, NoAnswer):
            why = f"no reply: {answer.value}"
            answer = failed_reply(request, FAILURE_CODE_DEADLINE_EXCEEDED, why)
        return outcome_of(
            call,
            answer,
            outcome_id=digest("replayed", request.request_id),
            called_us=0,
            answered_us=0,
            max_record_bytes=MAX_RECORD_BYTES,
        )

    return ask
