"""What A2A agents, and those on another wire before them, leave and answer fails one turn only."""

from __future__ import annotations

import math

import pytest

from headgate.core.own_types import TIMER
from headgate.rpc.a2a.long import FIRST_LOOK_MS, LAST_LOOK_MS, look_again, look_of
from headgate.rpc.a2a.memory import NAME, Memory
from headgate.rpc.a2a.replies import reply_of_message, reply_of_running, reply_of_task
from headgate.v1 import a2a_pb2 as a2a
from headgate.v1.agent_pb2 import FAILURE_CODE_BAD_REPLY, Event, TurnRequest

STRANGE = [b"\xff", b"1", b"null", b"[]", b'"x"', b'{"continues": "t"}', b"[" * 100_000]


@pytest.mark.parametrize("value", STRANGE)
def test_a_value_of_another_form_is_no_memory(value: bytes) -> None:
    request = TurnRequest(events=[Event(id="e")])
    request.state.values[NAME] = value
    assert Memory.of(request) == Memory()


@pytest.mark.parametrize("data", STRANGE)
def test_a_timer_of_another_form_asks_for_no_task(data: bytes) -> None:
    event = Event(id="e", type=TIMER, subject=f"{NAME}-mine", data=data)
    request = TurnRequest(events=[event])
    assert look_of(request) == ""
    assert look_again(request, "t").after_ms == FIRST_LOOK_MS


def test_what_no_json_can_say_is_a_bad_reply() -> None:
    request = TurnRequest(agent_type="a", key="1", events=[Event(id="e")])
    task = a2a.Task(id="t", context_id="a/1")
    task.status.state = a2a.TASK_STATE_COMPLETED
    part = task.artifacts.add(artifact_id="x").parts.add()
    part.data.number_value = math.nan
    reply = reply_of_task(request, task)
    assert reply.failed.code == FAILURE_CODE_BAD_REPLY
    assert "no JSON" in reply.failed.message


def test_what_is_said_of_another_context_is_no_answer() -> None:
    """An agent that mixes its conversations up must not put one into another's state."""
    request = TurnRequest(agent_type="a", key="1", events=[Event(id="e")])
    for task in (a2a.Task(id="t", context_id="a/2"), a2a.Task(context_id="a/1")):
        task.status.state = a2a.TASK_STATE_COMPLETED
        for reply in (reply_of_task(request, task), reply_of_running(request, task)):
            assert reply.failed.code == FAILURE_CODE_BAD_REPLY
            assert not (reply.mutations or reply.timers or reply.outputs)
    reply = reply_of_message(request, a2a.Message(context_id="a/2"))
    assert reply.failed.code == FAILURE_CODE_BAD_REPLY
    assert "context 'a/2'" in reply.failed.message


@pytest.mark.parametrize(
    ("pause_ms", "next_ms"), [(1_000, 2_000), (40_000, LAST_LOOK_MS), (10**9, LAST_LOOK_MS)]
)
def test_looks_come_at_least_once_a_minute(pause_ms: int, next_ms: int) -> None:
    data = b'{"task": "t", "pause_ms": %d}' % pause_ms
    event = Event(id="e", type=TIMER, subject=f"{NAME}.x", data=data)
    assert look_again(TurnRequest(events=[event]), "t").after_ms == next_ms
