"""An A2A agent gets the turn's trace context where gRPC's instrumentations look for it."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import grpc.aio
import pytest

from headgate.rpc.a2a.client import SERVICE, A2aClient
from headgate.rpc.channel import Token
from headgate.rpc.pending import Owner, Pending
from headgate.v1 import a2a_pb2 as a2a
from headgate.v1 import connection_pb2
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import Call

SPAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("traceparent", "told"), [(SPAN, {"traceparent": SPAN, "tracestate": "vendor=1"}), ("", {})]
)
async def test_every_call_carries_it(traceparent: str, told: dict[str, str]) -> None:
    seen: list[dict[str, Any]] = []

    async def send(_: a2a.SendMessageRequest, context: Any) -> a2a.SendMessageResponse:
        seen.append(dict(context.invocation_metadata()))
        answer = a2a.SendMessageResponse()
        answer.message.message_id = "m"
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        send,
        request_deserializer=a2a.SendMessageRequest.FromString,
        response_serializer=a2a.SendMessageResponse.SerializeToString,
    )
    server = grpc.aio.server()
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"SendMessage": handler})
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    call = Call()
    request = call.request
    request.agent_type, request.key, request.attempt, request.deadline_ms = "a", "1", 1, 20_000
    request.events.append(Event(id="e", type="t", data=b"{}"))
    request.traceparent = traceparent
    request.tracestate = "vendor=1" if traceparent else ""
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await A2aClient(channel, Token(connection_pb2.Token())).ask(
                Pending(call, Mock(spec_set=Owner))
            )
    finally:
        await server.stop(None)
    (metadata,) = seen
    assert {k: v for k, v in metadata.items() if k.startswith("trace")} == told
