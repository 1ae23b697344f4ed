"""How turns travel: one `Turns` stream where the service has it, a unary `Turn` each where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import grpc
import grpc.aio

from headgate.rpc.pending import Pending
from headgate.v1.agent_pb2 import DescribeRequest, TurnReply, TurnReplyBatch, TurnRequestBatch
from headgate.v1.agent_pb2_grpc import AgentServiceStub

CONNECT_SECONDS = 5.0
"""A service that is up answers Describe in milliseconds; one that hangs for this long is as
good as down.
"""

OPTIONS = [
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # A host that vanished without closing: noticed after 10 + 5 s instead of TCP's many minutes.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # The endpoint has its own pauses between attempts.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]

OnReply = Callable[[TurnReply], None]
OnRefused = Callable[[bytes, grpc.StatusCode, str], None]


class Wire(Protocol):
    """A way to send turns over one connection."""

    async def send(self, batch: list[Pending]) -> None:
        """Send requests; answers come through the callbacks."""

    def raise_if_broken(self) -> None:
        """Raise what ended the connection, if anything did."""

    async def close(self) -> None:
        """Close the connection."""


async def connect(
    target: str, on_reply: OnReply, on_refused: OnRefused, on_broken: Callable[[], None]
) -> Wire:
    """Connect to a service and ask how it takes turns. ``on_broken`` says that the stream has
    ended.

    Raises:
        grpc.aio.AioRpcError: it cannot be reached or does not speak this contract.
    """
    channel = grpc.aio.insecure_channel(target, options=OPTIONS)
    stub = AgentServiceStub(channel)
    try:
        described = await stub.Describe(DescribeRequest(), timeout=CONNECT_SECONDS)
    except BaseException:
        await channel.close()
        raise
    if described.serves_turns_stream:
        return StreamWire(channel, stub, on_reply, on_broken)
    return UnaryWire(channel, stub, on_reply, on_refused)


class StreamWire:
    """All turns over one stream, in batches."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        stub: AgentServiceStub,
        on_reply: OnReply,
        on_broken: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._on_reply = on_reply
        self._on_broken = on_broken
        self._stream = stub.Turns()
        self._broken: BaseException | None = None
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def send(self, batch: list[Pending]) -> None:
        """Write one batch."""
        await self._stream.write(TurnRequestBatch(requests=[p.request for p in batch]))

    def raise_if_broken(self) -> None:
        """Raise what ended the stream."""
        if self._broken is not None:
            raise self._broken

    async def close(self) -> None:
        """Cancel the stream and close the connection."""
        self._reader.cancel()
        self._stream.cancel()
        await self._channel.close(None)

    async def _read(self) -> None:
        try:
            replies: AsyncIterator[TurnReplyBatch] = self._stream
            async for batch in replies:
                for reply in batch.replies:
                    self._on_reply(reply)
            self._broken = ConnectionError("the service ended the stream")
        except Exception as error:
            self._broken = error
        self._on_broken()


class UnaryWire:
    """Each turn its own call: six times the agent's CPU, for services that have no stream."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        stub: AgentServiceStub,
        on_reply: OnReply,
        on_refused: OnRefused,
    ) -> None:
        self._channel = channel
        self._stub = stub
        self._on_reply = on_reply
        self._on_refused = on_refused
        self._calls: set[asyncio.Task[None]] = set()

    async def send(self, batch: list[Pending]) -> None:
        """Start one call for each request."""
        for pending in batch:
            task = asyncio.get_running_loop().create_task(self._call(pending))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    def raise_if_broken(self) -> None:
        """Unary calls fail one by one; the channel reconnects by itself."""

    async def close(self) -> None:
        """Cancel the calls and close the connection."""
        for task in self._calls:
            task.cancel()
        await self._channel.close(None)

    async def _call(self, pending: Pending) -> None:
        request = pending.request
        try:
            # The endpoint's own deadline comes first and has the better message.
            reply = await self._stub.Turn(request, timeout=request.deadline_ms / 1000 + 1)
        except grpc.aio.AioRpcError as error:
            self._on_refused(request.request_id, error.code(), error.details() or "")
            return
        # Whatever id it names, this is the answer to this call.
        reply.request_id = request.request_id
        self._on_reply(reply)
