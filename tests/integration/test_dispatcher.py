"""The dispatcher against real gRPC services that answer, hang, refuse, die and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from headgate.rpc.dispatcher import Dispatcher, DispatcherLimits
from headgate.rpc.endpoint import EndpointLimits
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_RPC_ERROR,
    FAILURE_CODE_UNKNOWN_AGENT,
    AgentDescription,
    Completed,
    DescribeResponse,
    Event,
    Origin,
    TurnReply,
    TurnReplyBatch,
    TurnRequest,
)
from headgate.v1.agent_pb2_grpc import AgentServiceServicer, add_AgentServiceServicer_to_server
from headgate.v1.turn_pb2 import Call, Hello, InvokeRequest, JournalRecord, Outcome, Policy, Tick

pytestmark = pytest.mark.asyncio

Answer = Callable[[TurnRequest], Awaitable[TurnReply | None]]


@dataclass
class ListJournal:
    """Keeps records in a list: the journal's own behaviour is tested on a real broker."""

    partitions: int = 2
    records: list[JournalRecord] = field(default_factory=list)
    full: bool = False

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        assert key
        assert 0 <= partition < self.partitions
        self.records.append(JournalRecord.FromString(value))

    def is_full(self) -> bool:
        return self.full

    def raise_if_lost(self) -> None:
        return

    @property
    def outcomes(self) -> list[Outcome]:
        return [r.outcome for r in self.records if r.HasField("outcome")]

    @property
    def ticks(self) -> list[Tick]:
        return [r.tick for r in self.records if r.HasField("tick")]


class Service(AgentServiceServicer):
    """An agent service whose answers a test decides; ``None`` is no answer, ever."""

    def __init__(self, answer: Answer, *, has_stream: bool = True) -> None:
        self.asked: list[TurnRequest] = []
        self._answer = answer
        self._has_stream = has_stream

    async def Describe(self, request: Any, context: Any) -> DescribeResponse:  # noqa: N802
        agents = [AgentDescription(type="a")]
        return DescribeResponse(
            contract_version=1, agents=agents, serves_turns_stream=self._has_stream
        )

    async def Turn(self, request: TurnRequest, context: Any) -> TurnReply:  # noqa: N802
        self.asked.append(request)
        reply = await self._answer(request)
        while reply is None:
            await asyncio.Event().wait()
        return reply

    async def Turns(self, requests: Any, context: Any) -> AsyncIterator[TurnReplyBatch]:  # noqa: N802
        async for batch in requests:
            for request in batch.requests:
                self.asked.append(request)
                reply = await self._answer(request)
                if reply is not None:
                    yield TurnReplyBatch(replies=[reply])


async def serve(service: Service, port: int = 0) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server()
    add_AgentServiceServicer_to_server(service, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, port


async def completed(request: TurnRequest) -> TurnReply:
    return TurnReply(
        request_id=request.request_id,
        base=request.base,
        taken_event_ids=[e.id for e in request.events],
        completed=Completed(),
    )


async def silent(_: TurnRequest) -> None:
    return None


def call(number: int, port: int, *, deadline_ms: int = 30_000, size: int = 10) -> InvokeRequest:
    base = number.to_bytes(16, "big")
    event = Event(id=str(number), source="s", type="t", data=b"x" * size, fingerprint=base)
    event.origin.CopyFrom(Origin(topic="t", partition=0, offset=number))
    request = TurnRequest(
        request_id=base + b"\x01",
        agent_type="a",
        key=str(number),
        base=base,
        turn=1,
        attempt=1,
        events=[event],
        deadline_ms=deadline_ms,
    )
    endpoint = f"127.0.0.1:{port}" if port else ""
    policy = Policy(deadline_ms=deadline_ms, max_attempts=3, backoff_initial_ms=10)
    return InvokeRequest(call=Call(request=request, endpoint=endpoint, policy=policy))


def dispatcher(journal: ListJournal, **limits: int) -> Dispatcher:
    ids = iter(range(1, 1_000_000))
    return Dispatcher(
        journal,
        DispatcherLimits(EndpointLimits(**limits), record_bytes=1_000_000),
        now_us=lambda: 1,
        random_id=lambda: next(ids).to_bytes(16, "big"),
    )


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("has_stream", [True, False], ids=["Turns", "Turn"])
async def test_each_call_is_made_once_and_journaled_once(has_stream: bool) -> None:
    service, journal = Service(completed, has_stream=has_stream), ListJournal()
    server, port = await serve(service)
    mine = dispatcher(journal)
    for number in range(50):
        mine.take(call(number, port))
        mine.take(call(number, port))
    await until(lambda: len(journal.outcomes) == 50)
    for number in range(50):
        mine.take(call(number, port))
    assert mine.counts.repeats == 100
    await mine.close()
    await server.stop(None)
    assert sorted(int(o.key) for o in journal.outcomes) == list(range(50))
    assert len(service.asked) == 50


async def test_a_service_that_never_answers_costs_an_attempt_of_its_own_turns_alone() -> None:
    journal = ListJournal()
    hanging, slow_port = await serve(Service(silent))
    healthy, port = await serve(Service(completed))
    mine = dispatcher(journal)
    mine.take(call(1, slow_port, deadline_ms=300))
    mine.take(call(2, port))
    await until(lambda: len(journal.outcomes) == 2)
    first, second = journal.outcomes
    assert (first.key, first.WhichOneof("verdict")) == ("2", "completed")
    assert second.failed.code == FAILURE_CODE_DEADLINE_EXCEEDED
    assert second.failed.retry_after_ms > 0
    await mine.close()
    await hanging.stop(None)
    await healthy.stop(None)


async def test_what_does_not_fit_the_queue_is_dropped_and_told_by_the_next_tick() -> None:
    journal = ListJournal()
    server, port = await serve(Service(silent))
    mine = dispatcher(journal, concurrency=1, queue_bytes=3_000)
    mine.take(InvokeRequest(hello=Hello(nonce=b"n", tick_key=b"@tick/0")))
    assert [t.drops for t in journal.ticks if t.start] == [0, 0]
    for number in range(10):
        mine.take(call(number, port, size=1_000))
    assert mine.counts.dropped > 0
    await until(lambda: journal.ticks[-1].drops == mine.counts.dropped)
    # A dropped call is not remembered: its re-send is a call.
    before = mine.counts.repeats
    mine.take(call(9, port, size=1_000))
    assert mine.counts.repeats == before
    await mine.close()
    await server.stop(None)


async def test_no_call_is_made_while_the_journal_takes_no_more() -> None:
    service, journal = Service(completed), ListJournal(full=True)
    server, port = await serve(service)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    assert mine.counts.dropped == 1
    journal.full = False
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    assert len(service.asked) == 1
    await mine.close()
    await server.stop(None)


async def test_a_service_that_dies_and_returns_gets_its_calls_again_without_an_attempt() -> None:
    journal = ListJournal()
    first = Service(silent)
    server, port = await serve(first)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(first.asked) == 1)
    await server.stop(None)
    second = Service(completed)
    server, _ = await serve(second, port)
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].WhichOneof("verdict") == "completed"
    assert second.asked[0].attempt == first.asked[0].attempt == 1
    await mine.close()
    await server.stop(None)


async def test_a_call_under_which_every_stream_breaks_fails_in_the_end() -> None:
    async def deadly(_: TurnRequest) -> None:
        msg = "this turn kills the stream"
        raise RuntimeError(msg)

    journal = ListJournal()
    server, port = await serve(Service(deadly))
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].failed.code == FAILURE_CODE_RPC_ERROR
    await mine.close()
    await server.stop(None)


async def test_an_unknown_agent_type_is_an_outcome_too() -> None:
    journal = ListJournal()
    mine = dispatcher(journal)
    mine.take(call(1, 0))
    (outcome,) = journal.outcomes
    assert outcome.failed.code == FAILURE_CODE_UNKNOWN_AGENT
    assert outcome.failed.dead_letter.origin.offset == 1
    await mine.close()
