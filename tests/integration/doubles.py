"""What tests of the dispatcher share: a journal in a list, a service that a test scripts, calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from headgate.core.batch import records_in
from headgate.rpc.dispatcher import Dispatcher, DispatcherLimits
from headgate.rpc.endpoint import EndpointLimits
from headgate.v1.agent_pb2 import (
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
from headgate.v1.connection_pb2 import CallLimits, Connection
from headgate.v1.connection_pb2 import Service as ServiceSpec
from headgate.v1.turn_pb2 import (
    Call,
    Hello,
    InvokeRequest,
    JournalRecord,
    Outcome,
    Policy,
    Shard,
    Tick,
)

Answer = Callable[[TurnRequest], Awaitable[TurnReply | None]]


KEYS = (b"shard-0", b"shard-1")
HELLO = InvokeRequest(
    hello=Hello(nonce=b"n", shards=[Shard(partition=n, key=key) for n, key in enumerate(KEYS)])
)


@dataclass
class ListJournal:
    """Keeps records in a list: the journal's own behaviour is tested on a real broker."""

    records: list[JournalRecord] = field(default_factory=list)
    full: bool = False

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        assert key == KEYS[partition]
        self.records.extend(JournalRecord.FromString(each) for each in records_in(value))

    def note(self, topic: str, key: bytes, value: bytes) -> None:
        raise AssertionError

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


@dataclass
class StatusError(Exception):
    """A service's answer that is a status."""

    code: grpc.StatusCode


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
        try:
            reply = await self._answer(request)
        except StatusError as error:
            await context.abort(error.code, "as the test says")
            raise
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


def call(
    number: int,
    *ports: int,
    deadline_ms: int = 30_000,
    size: int = 10,
    agent_type: str = "a",
    connection: Connection | None = None,
    limits: CallLimits | None = None,
) -> InvokeRequest:
    base = number.to_bytes(16, "big")
    event = Event(id=str(number), source="s", type="t", data=b"x" * size, fingerprint=base)
    event.origin.CopyFrom(Origin(topic="t", partition=0, offset=number))
    request = TurnRequest(
        request_id=base + b"\x01",
        agent_type=agent_type,
        key=str(number),
        base=base,
        turn=1,
        attempt=1,
        events=[event],
        deadline_ms=deadline_ms,
    )
    policy = Policy(deadline_ms=deadline_ms, max_attempts=3, backoff_initial_ms=10)
    made = Call(request=request, policy=policy, partition=number % len(KEYS))
    if ports and ports[0]:
        made.endpoint = f"127.0.0.1:{ports[0]}"
    if len(ports) > 1 or connection or limits:
        endpoints = [f"127.0.0.1:{port}" for port in ports]
        service = ServiceSpec(endpoints=endpoints, connection=connection, limits=limits)
        made.service = service.SerializeToString()
    return InvokeRequest(call=made)


def dispatcher(journal: ListJournal, **limits: int) -> Dispatcher:
    """Return one that Gate has greeted."""
    ids = iter(range(1, 1_000_000))
    made = Dispatcher(
        journal,
        DispatcherLimits(EndpointLimits(**limits), record_bytes=1_000_000),
        now_us=lambda: 1,
        random_id=lambda: next(ids).to_bytes(16, "big"),
    )
    made.take(HELLO)
    return made


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def until_outcomes(journal: ListJournal, count: int) -> None:
    """Wait until there are so many."""
    await until(lambda: len(journal.outcomes) >= count)
