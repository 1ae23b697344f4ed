"""How turns travel over one connection, whatever the service speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import grpc
import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from headgate.rpc.a2a.client import SERVICE as A2A_SERVICE
from headgate.rpc.a2a.client import A2aClient
from headgate.rpc.channel import MESSAGE_BYTES, Token, open_channel
from headgate.rpc.pending import Pending
from headgate.rpc.turns import CallsWire, StreamWire, unary_turns
from headgate.v1.agent_pb2 import DescribeRequest, TurnReply
from headgate.v1.agent_pb2_grpc import AgentServiceStub
from headgate.v1.connection_pb2 import WIRE_A2A, Connection

CONNECT_SECONDS = 5.0
"""A service that is up answers Describe in milliseconds; one that hangs for this long is as
good as down.
"""

SERVICE = "headgate.v1.AgentService"

OnReply = Callable[[TurnReply], None]
OnRefused = Callable[[bytes, grpc.StatusCode, str], None]


class Wire(Protocol):
    """A way to send turns over one connection."""

    calls_are_alone: bool
    """True if each call ends by itself: those under way go on when no new one is sent."""

    async def send(self, batch: list[Pending]) -> None:
        """Send requests; answers come through the callbacks."""

    def raise_if_broken(self) -> None:
        """Raise what ended the connection, if anything did."""

    async def finish(self) -> None:
        """Wait for the calls under way, where they are alone; then close."""

    async def close(self) -> None:
        """Close the connection; calls under way stay unanswered."""


async def connect(
    target: str,
    connection: Connection,
    *,
    answer_bytes: int,
    on_reply: OnReply,
    on_refused: OnRefused,
    on_broken: Callable[[], None],
) -> Wire:
    """Connect to a service, ask whether it serves and how it takes turns. ``on_broken`` says that
    the stream has ended.

    answer_bytes: largest answer to a call of its own; in a stream's messages many share.

    Raises:
        grpc.aio.AioRpcError: it cannot be reached or does not speak this contract.
        ConnectionError: it says that it does not serve, or what it asks for cannot be shown.
    """
    token = Token(connection.token)
    is_a2a = connection.wire == WIRE_A2A
    receive_bytes = answer_bytes if is_a2a else MESSAGE_BYTES
    channel = open_channel(target, connection, receive_bytes=receive_bytes)
    try:
        metadata = token.metadata()
        if is_a2a:
            await _raise_unless_serving(channel, A2A_SERVICE, metadata)
            return CallsWire(channel, A2aClient(channel, token).ask, on_reply, on_refused)
        await _raise_unless_serving(channel, SERVICE, metadata)
        stub = AgentServiceStub(channel)
        described = await stub.Describe(
            DescribeRequest(), timeout=CONNECT_SECONDS, metadata=metadata
        )
    except BaseException:
        await channel.close()
        raise
    if described.serves_turns_stream:
        return StreamWire(channel, stub.Turns(metadata=metadata), on_reply, on_broken)
    await channel.close()
    channel = open_channel(target, connection, receive_bytes=answer_bytes)
    stub = AgentServiceStub(channel)
    return CallsWire(channel, unary_turns(stub, token), on_reply, on_refused)


async def _raise_unless_serving(
    channel: grpc.aio.Channel, service: str, metadata: tuple[tuple[str, str], ...]
) -> None:
    """Respect a service that drains. One without a health service is taken as it is: attaching
    demands it, and here its turns count for more than its manners.
    """
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    try:
        found = await check(
            HealthCheckRequest(service=service), timeout=CONNECT_SECONDS, metadata=metadata
        )
    except grpc.aio.AioRpcError as error:
        if error.code() in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND}:
            return
        raise
    if found.status != HealthCheckResponse.SERVING:
        state = HealthCheckResponse.ServingStatus.Name(found.status)
        message = f"its health is {state}"
        raise ConnectionError(message)
