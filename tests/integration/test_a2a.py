"""Turns by A2A, against a real server made with a2a-sdk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from headgate.core.identity import digest
from headgate.rpc.a2a.memory import NAME, Memory
from headgate.rpc.dispatcher import Dispatcher
from headgate.rpc.fitness import examine
from headgate.rpc.health import ask
from headgate.sdk import Agent
from headgate.sdk.server import Server
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_RPC_ERROR,
    FAILURE_CODE_TERMINAL,
    TimerChange,
)
from headgate.v1.connection_pb2 import WIRE_A2A, Breaker, Connection, Service
from headgate.v1.turn_pb2 import AgentSpec, InvokeRequest, Outcome
from tests.integration.a2a_agent import A2aAgent, UnavailableError
from tests.integration.doubles import ListJournal, call, dispatcher, until, until_outcomes

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

A2A = Connection(wire=WIRE_A2A)


@pytest.fixture
def agent() -> Iterator[A2aAgent]:
    try:
        running = A2aAgent()
    except UnavailableError as error:
        pytest.skip(f"no environment for a2a-sdk: {error}")
    yield running
    running.close()


def turn(
    agent: A2aAgent,
    data: Any,
    *,
    number: int = 1,
    attempt: int = 1,
    deadline_ms: int = 20_000,
    state: dict[str, bytes] | None = None,
) -> InvokeRequest:
    """One attempt at one event; each has a base of its own, as attempts have."""
    made = call(number, agent.port, deadline_ms=deadline_ms, connection=A2A)
    request = made.call.request
    request.key = "17"
    request.base = digest("base", number, attempt)
    request.attempt = attempt
    request.request_id = request.base + attempt.to_bytes(4, "big")
    request.idempotency_key = digest("key", number, attempt).hex()
    request.events[0].data = json.dumps(data).encode()
    for name, value in (state or {}).items():
        request.state.values[name] = value
    return made


class Instance:
    """Takes turns one after the other and keeps the state, as Gate does."""

    def __init__(self, agent: A2aAgent, state: dict[str, bytes] | None = None) -> None:
        self.state: dict[str, bytes] = {} if state is None else state
        self.journal = ListJournal()
        self.dispatcher: Dispatcher = dispatcher(self.journal)
        self._agent = agent

    async def take(self, data: Any, **how: Any) -> Outcome:
        return await self._take(turn(self._agent, data, state=self.state, **how))

    async def look(self, timer: TimerChange, number: int) -> Outcome:
        """Let a timer be due."""
        made = turn(self._agent, None, number=number, state=self.state)
        [event] = made.call.request.events
        event.type, event.subject, event.data = "headgate.timer", timer.name, timer.data
        return await self._take(made)

    async def _take(self, made: InvokeRequest) -> Outcome:
        self.dispatcher.take(made)
        before = len(self.journal.outcomes)
        await until(lambda: len(self.journal.outcomes) > before)
        outcome = self.journal.outcomes[-1]
        for mutation in outcome.mutations:
            if mutation.delete:
                self.state.pop(mutation.name)
            else:
                self.state[mutation.name] = mutation.set
        return outcome


def texts(outcome: Outcome) -> list[tuple[str, str]]:
    """Type and first text of each output."""
    found = [(output.type, json.loads(output.data)) for output in outcome.outputs]
    return [(kind, content["parts"][0]["text"]) for kind, content in found]


async def test_an_answer_is_an_output_and_ids_are_ours(agent: A2aAgent) -> None:
    instance = Instance(agent)
    outcome = await instance.take("hello world")
    await instance.dispatcher.close()
    assert outcome.HasField("completed")
    assert texts(outcome) == [("a2a.message", "hello world")]
    assert instance.state == {}
    (seen,) = agent.executed()
    assert seen["context_id"] == "a/17"
    assert seen["message_id"] == digest("key", 1, 1).hex()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ("hello", {"text": "hello", "mediaType": "text/plain"}),
        ({"text": "hello"}, {"text": "hello", "mediaType": "text/plain"}),
        ({"a": [1, None]}, {"data": {"a": [1.0, None]}, "mediaType": "application/json"}),
    ],
)
async def test_an_events_data_is_a_part(agent: A2aAgent, data: Any, part: dict[str, Any]) -> None:
    instance = Instance(agent)
    await instance.take(data)
    await instance.dispatcher.close()
    (seen,) = agent.executed()
    (sent,) = seen["parts"]
    assert sent.pop("metadata")["type"] == "t"
    assert sent == part


async def test_a_task_is_waited_for_and_its_artifacts_are_outputs(agent: A2aAgent) -> None:
    instance = Instance(agent)
    outcome = await instance.take("draw a house")
    await instance.dispatcher.close()
    assert texts(outcome) == [("a2a.artifact", "draw"), ("a2a.message", "a house")]
    assert json.loads(outcome.outputs[0].data)["parts"][1]["data"] == {"n": 1.0}
    assert outcome.outputs[0].extensions["a2astate"] == "completed"
    assert instance.state == {}


async def test_input_required_waits_for_the_next_event_of_the_same_task(agent: A2aAgent) -> None:
    instance = Instance(agent)
    first = await instance.take("ask which?")
    assert first.HasField("completed")
    assert texts(first) == [("a2a.artifact", "draft"), ("a2a.input_required", "which?")]
    task = json.loads(instance.state[NAME])
    second = await instance.take("that one", number=2)
    await instance.dispatcher.close()
    # The artifact of the first turn is not sent a second time.
    assert texts(second) == [("a2a.artifact", "that"), ("a2a.message", "one")]
    assert second.outputs[0].extensions["a2atask"] == task["continues"]
    assert [seen["continues"] for seen in agent.executed()] == [False, True]
    assert instance.state == {}


@pytest.mark.parametrize(
    ("word", "code", "disposition"),
    [
        ("fail", FAILURE_CODE_AGENT_ERROR, "retry_after_ms"),
        ("reject", FAILURE_CODE_TERMINAL, "dead_letter"),
        ("cancel", FAILURE_CODE_TERMINAL, "dead_letter"),
        ("login", FAILURE_CODE_AGENT_ERROR, "park"),
    ],
)
async def test_a_task_that_does_not_complete_fails_the_turn(
    agent: A2aAgent, word: str, code: int, disposition: str
) -> None:
    instance = Instance(agent)
    outcome = await instance.take(f"{word} because")
    await instance.dispatcher.close()
    assert outcome.failed.code == code
    assert outcome.failed.WhichOneof("disposition") == disposition
    assert "because" in outcome.failed.message
    # Only a task that waits for people is there to be continued.
    assert bool(instance.state) == (word == "login")


async def test_an_agent_that_raises_costs_an_attempt(agent: A2aAgent) -> None:
    instance = Instance(agent)
    outcome = await instance.take("raise an error")
    await instance.dispatcher.close()
    assert outcome.failed.retry_after_ms > 0


async def release(agent: A2aAgent) -> None:
    """Let the tasks that wait be done, by a message of another instance."""
    other = ListJournal()
    releasing = dispatcher(other)
    released = turn(agent, "release")
    released.call.request.key = "another"
    releasing.take(released)
    await until(lambda: bool(other.outcomes))
    await releasing.close()


async def test_the_second_attempt_adopts_the_task_of_the_first(agent: A2aAgent) -> None:
    """The first one's answer was lost: nothing in state tells of its task."""
    lost = Instance(agent)
    await lost.take("wait done", deadline_ms=500)
    await lost.dispatcher.close()
    await release(agent)
    instance = Instance(agent)
    second = await instance.take("wait done", attempt=2)
    await instance.dispatcher.close()
    assert texts(second) == [("a2a.message", "done")]
    # The agent has worked once for two attempts.
    assert len(agent.executed("wait")) == 1


async def test_a_task_longer_than_its_deadline_is_asked_for_by_timers(agent: A2aAgent) -> None:
    """The event is taken, no attempt is charged, and each look may be another worker's."""
    first = Instance(agent)
    begun = await first.take("wait done", deadline_ms=500)
    await first.dispatcher.close()
    assert begun.HasField("completed")
    assert not begun.outputs
    assert len(json.loads(first.state[NAME])["running"]) == 1
    [timer] = begun.timers
    for number in (2, 3):
        instance = Instance(agent, first.state)
        looked = await instance.look(timer, number)
        await instance.dispatcher.close()
        assert looked.HasField("completed")
        assert not looked.outputs
        pause_ms, [timer] = timer.after_ms, looked.timers
        assert timer.after_ms == 2 * pause_ms
    await release(agent)
    done = await (last := Instance(agent, first.state)).look(timer, 4)
    await last.dispatcher.close()
    assert texts(done) == [("a2a.message", "done")]
    assert not done.timers
    assert last.state == {}
    assert len(agent.executed("wait")) == 1


async def test_an_event_may_end_a_task_that_runs(agent: A2aAgent) -> None:
    """Its look is cancelled; one that was under way already finds nothing to do."""
    instance = Instance(agent)
    begun = await instance.take("wait done", deadline_ms=500)
    running = dict(instance.state)
    task = json.loads(running[NAME])["continues"]
    await release(agent)
    ended = await instance.take("wait done", attempt=2)
    assert texts(ended) == [("a2a.message", "done")]
    [cancelled] = ended.timers
    assert (cancelled.name, cancelled.cancel) == (begun.timers[0].name, True)
    assert ended.outputs[0].extensions["a2atask"] == task
    late = await instance.look(begun.timers[0], 3)
    await instance.dispatcher.close()
    assert late.HasField("completed")
    assert not (late.outputs or late.timers or late.mutations)


async def test_a_running_task_that_is_lost_is_a_dead_letter(agent: A2aAgent) -> None:
    """Nobody has its event any more: another attempt would have nothing to send."""
    instance = Instance(agent)
    begun = await instance.take("wait done", deadline_ms=500)
    [timer] = begun.timers
    timer.data = json.dumps(json.loads(timer.data) | {"task": "forgotten"}).encode()
    instance.state[NAME] = Memory().running_on("forgotten").mutation().set
    lost = await instance.look(timer, 2)
    await instance.dispatcher.close()
    assert lost.failed.HasField("dead_letter")
    assert "A2A task forgotten cannot be continued" in lost.failed.message
    assert instance.state == {}


async def test_an_event_does_not_wait_for_a_task_that_ended_between_two_looks(
    agent: A2aAgent,
) -> None:
    """The agent takes no message for it: the event begins a task, the look tells of the end."""
    instance = Instance(agent)
    begun = await instance.take("wait done", deadline_ms=500)
    await release(agent)
    other = await instance.take("draw a house", number=2)
    assert texts(other) == [("a2a.artifact", "draw"), ("a2a.message", "a house")]
    assert not other.timers
    told = await instance.look(begun.timers[0], 3)
    await instance.dispatcher.close()
    assert texts(told) == [("a2a.message", "done")]
    assert instance.state == {}


async def test_two_tasks_that_run_each_have_their_looks(agent: A2aAgent) -> None:
    """And an agent that takes no message for a running task gets the event as another task."""
    instance = Instance(agent)
    first = await instance.take("hold one", deadline_ms=500)
    second = await instance.take("hold two", number=2, deadline_ms=500)
    timers = [first.timers[0], second.timers[0]]
    assert len({timer.name for timer in timers}) == 2
    assert len(json.loads(instance.state[NAME])["running"]) == 2
    await release(agent)
    looks = [await instance.look(timer, number) for number, timer in enumerate(timers, start=3)]
    await instance.dispatcher.close()
    assert [texts(look) for look in looks] == [[("a2a.message", "one")], [("a2a.message", "two")]]
    assert instance.state == {}


async def test_a_running_task_of_an_earlier_event_is_not_adopted(agent: A2aAgent) -> None:
    """Even where the agent keeps no messages, and the task says nothing of its event."""
    instance = Instance(agent)
    await instance.take("mute one", deadline_ms=500)
    other = await instance.take("new house", number=2, attempt=2)
    await instance.dispatcher.close()
    assert texts(other) == [("a2a.artifact", "new"), ("a2a.message", "house")]


async def test_a_task_that_takes_long_says_nothing_against_its_service(agent: A2aAgent) -> None:
    journal = ListJournal()
    mine = dispatcher(journal)
    strict = Connection(wire=WIRE_A2A, breaker=Breaker(failures=1, pause_ms=600_000))
    for number, data in enumerate(("wait done", "hello world"), start=1):
        request = turn(agent, data, number=number, deadline_ms=700)
        service = Service(endpoints=[request.call.endpoint], connection=strict)
        request.call.service = service.SerializeToString()
        mine.take(request)
        await until_outcomes(journal, number)
    await mine.close()
    assert all(outcome.HasField("completed") for outcome in journal.outcomes)


async def test_a_first_attempt_looks_for_nothing_and_a_failed_task_is_not_adopted(
    agent: A2aAgent,
) -> None:
    instance = Instance(agent)
    await instance.take("fail once")
    assert not [seen for seen in agent.calls if seen["did"] == "ListTasks"]
    again = await instance.take("fail once", attempt=2)
    await instance.dispatcher.close()
    assert again.failed.code == FAILURE_CODE_AGENT_ERROR
    assert [seen["did"] for seen in agent.calls].count("ListTasks") == 1
    assert len(agent.executed("fail")) == 2


@pytest.mark.parametrize(
    ("status", "is_tried"),
    [("UNIMPLEMENTED", True), ("NOT_FOUND", True), ("PERMISSION_DENIED", False)],
)
async def test_an_agent_without_lists_gets_a_second_attempt_as_a_new_task(
    agent: A2aAgent, status: str, is_tried: bool
) -> None:
    """ListTasks is not everybody's. A list that is refused for another reason costs the attempt."""
    listless = A2aAgent(status)
    try:
        instance = Instance(listless)
        first = await instance.take("fail once")
        second = await instance.take("fail once", attempt=2)
        await instance.dispatcher.close()
    finally:
        listless.close()
    assert first.failed.code == FAILURE_CODE_AGENT_ERROR
    assert [seen["did"] for seen in listless.calls].count("ListTasks") == 1
    assert len(listless.executed("fail")) == 1 + is_tried
    code = FAILURE_CODE_AGENT_ERROR if is_tried else FAILURE_CODE_RPC_ERROR
    assert second.failed.code == code


async def test_another_events_task_is_not_adopted(agent: A2aAgent) -> None:
    instance = Instance(agent)
    await instance.take("draw one")
    await instance.take("fail two", number=2)
    third = await instance.take("fail two", number=2, attempt=2)
    await instance.dispatcher.close()
    assert third.failed.code == FAILURE_CODE_AGENT_ERROR


async def test_a_task_that_the_agent_has_forgotten_is_begun_anew(agent: A2aAgent) -> None:
    instance = Instance(agent)
    instance.state[NAME] = Memory("forgotten").mutation().set
    first = await instance.take("draw a house")
    assert first.failed.code == FAILURE_CODE_RPC_ERROR
    assert instance.state == {}
    second = await instance.take("draw a house", attempt=2)
    await instance.dispatcher.close()
    assert second.HasField("completed")


async def test_an_agent_that_dies_under_a_call_gets_it_again_from_its_successor(
    agent: A2aAgent,
) -> None:
    instance = Instance(agent)
    request = turn(agent, "wait done", deadline_ms=20_000)
    request.call.service = b""
    healthy = A2aAgent()
    service = request.call
    service.service = _service(agent.port, healthy.port)
    instance.dispatcher.take(request)
    await until(lambda: bool(agent.executed() or healthy.executed()))
    victim, survivor = (agent, healthy) if agent.executed() else (healthy, agent)
    victim.close()
    await until(lambda: bool(survivor.executed()))
    # The same message, and asked for before it was sent again.
    assert survivor.executed()[0]["message_id"] == victim.executed()[0]["message_id"]
    assert survivor.calls[0]["did"] == "ListTasks"
    await instance.dispatcher.close()
    healthy.close()


def _service(*ports: int) -> bytes:
    made = call(1, *ports, connection=A2A)
    return bytes(made.call.service)


async def test_its_health_can_be_asked_for(agent: A2aAgent) -> None:
    answer = await asyncio.to_thread(ask, f"127.0.0.1:{agent.port}", 5.0, A2A)
    # The SDK's server has none, which A2A allows.
    assert (answer.health, answer.problem) == ("no_health_service", "")
    # Asked as if it spoke Headgate's contract, it has no health service either.
    mistaken = AgentSpec(type="a", endpoints=[f"127.0.0.1:{agent.port}"])
    [found] = await asyncio.to_thread(examine, mistaken)
    assert "does it speak A2A (--wire a2a)?" in found["problem"]


async def test_a_service_that_speaks_no_a2a_is_not_taken_for_one() -> None:
    async with Server(Agent("a"), port=0) as server:
        spec = AgentSpec(type="a", endpoints=[server.address], connection=A2A)
        [found] = await asyncio.to_thread(examine, spec)
    assert "it takes no A2A calls: GetTask: UNIMPLEMENTED" in found["problem"]
