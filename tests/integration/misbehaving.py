"""Agent services that misbehave, each in its own way, on any wire: doubles named by what they do.

What they send is raw bytes, so that they can send what no stub would.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckResponse

from headgate.v1 import a2a_pb2 as a2a
from headgate.v1 import agent_pb2 as pb
from headgate.v1.connection_pb2 import WIRE_A2A, Connection

WIRES = ("stream", "unary", "a2a")
LARGE_BYTES = 50_000_000

Answer = Callable[["Request"], Awaitable[bytes]]


class Request:
    """One request, whatever it came by, and how to answer it by the same wire."""

    def __init__(self, wire: str, message: Any) -> None:
        self._wire = wire
        self._message = message

    def answer(self, **wrong: Any) -> bytes:
        """Return a right answer, but for what is given: ``base``, ``request_id`` or ``data``."""
        if self._wire == "a2a":
            context = wrong.get("base", b"").decode() or self._message.message.context_id
            task = a2a.Task(id=wrong.get("request_id", b"t").decode(), context_id=context)
            task.status.state = a2a.TASK_STATE_COMPLETED
            if "data" in wrong:
                task.artifacts.add(artifact_id="x").parts.add(text=wrong["data"].decode())
            sent: bytes = a2a.SendMessageResponse(task=task).SerializeToString()
            return sent
        reply = pb.TurnReply(
            request_id=wrong.get("request_id", self._message.request_id),
            base=wrong.get("base", self._message.base),
            taken_event_ids=[event.id for event in self._message.events],
            completed=pb.Completed(),
        )
        if "data" in wrong:
            reply.outputs.add(type="t", data=wrong["data"], datacontenttype="text/plain")
        if self._wire == "stream":
            return pb.TurnReplyBatch(replies=[reply]).SerializeToString()
        return reply.SerializeToString()


async def well(request: Request) -> bytes:
    """Answer at once."""
    return request.answer()


async def slow(request: Request) -> bytes:
    """Answer late, but in time."""
    await asyncio.sleep(0.3)
    return request.answer()


async def hanging(request: Request) -> bytes:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def crashing(request: Request) -> bytes:
    """End the stream, or the call, with an error."""
    message = "a crash in the middle of it"
    raise RuntimeError(message)


async def garbage(request: Request) -> bytes:
    """Answer with bytes that are no message."""
    return b"\xff\xff\xff\xff no message"


async def wrong_base(request: Request) -> bytes:
    """Answer for another place in the chain of turns, or another context."""
    return request.answer(base=b"another-position")


async def wrong_request(request: Request) -> bytes:
    """Answer a request that nobody made, or with a task that has no name."""
    return request.answer(request_id=b"")


async def large(request: Request) -> bytes:
    """Answer with 50 MB."""
    return request.answer(data=b"x" * LARGE_BYTES)


class Misbehaving:
    """A service on a wire, at one port, for as long as the block lasts."""

    def __init__(self, wire: str, answer: Answer, *, health: int | None = None) -> None:
        self._wire = wire
        self._answer = answer
        self._health = health
        self._server: Any = None
        self.port = 0

    async def __aenter__(self) -> Misbehaving:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve, at the same port as before."""
        self._server = grpc.aio.server()
        names = {
            "headgate.v1.AgentService": {
                "Describe": grpc.unary_unary_rpc_method_handler(
                    self._describe, request_deserializer=pb.DescribeRequest.FromString
                ),
                "Turn": grpc.unary_unary_rpc_method_handler(
                    self._call, request_deserializer=pb.TurnRequest.FromString
                ),
                "Turns": grpc.stream_stream_rpc_method_handler(
                    self._turns, request_deserializer=pb.TurnRequestBatch.FromString
                ),
            },
            "lf.a2a.v1.A2AService": {
                "SendMessage": grpc.unary_unary_rpc_method_handler(
                    self._call, request_deserializer=a2a.SendMessageRequest.FromString
                ),
                "ListTasks": grpc.unary_unary_rpc_method_handler(self._nothing),
            },
        }
        if self._health is not None:
            names["grpc.health.v1.Health"] = {
                "Check": grpc.unary_unary_rpc_method_handler(self._check)
            }
        for name, handlers in names.items():
            handler = grpc.method_handlers_generic_handler(name, handlers)
            self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Die, with all calls under way."""
        # gRPC lets a call that it ends cancel whoever waits for the end, now and then.
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.stop(None)

    async def _describe(self, request: Any, context: Any) -> bytes:
        described = pb.DescribeResponse(
            contract_version=1, serves_turns_stream=self._wire == "stream"
        )
        return described.SerializeToString()

    async def _call(self, request: Any, context: Any) -> bytes:
        return await self._answer(Request(self._wire, request))

    async def _turns(self, batches: Any, context: Any) -> AsyncIterator[bytes]:
        async for batch in batches:
            for request in batch.requests:
                yield await self._answer(Request(self._wire, request))

    async def _nothing(self, request: Any, context: Any) -> bytes:
        return b""

    async def _check(self, request: Any, context: Any) -> bytes:
        found: bytes = HealthCheckResponse(status=self._health).SerializeToString()
        return found


class Flapping(Misbehaving):
    """Dies and returns, again and again, as soon as it has been asked something."""

    def __init__(self, wire: str) -> None:
        super().__init__(wire, self._while_it_lives)
        self._asked = asyncio.Event()
        self._flapping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Misbehaving:
        await self.start()
        self._flapping = asyncio.get_running_loop().create_task(self._flap())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._flapping is not None:
            self._flapping.cancel()
            await asyncio.gather(self._flapping, return_exceptions=True)
        await self.stop()

    async def _while_it_lives(self, request: Request) -> bytes:
        self._asked.set()
        await asyncio.sleep(0.02)
        return request.answer()

    async def _flap(self) -> None:
        while True:
            await self._asked.wait()
            await asyncio.sleep(0.03)
            self._asked.clear()
            await self.stop()
            await self.start()


class HalfOpen:
    """Takes connections and never says a word on them."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self.port = 0

    async def __aenter__(self) -> HalfOpen:
        self._socket.bind(("127.0.0.1", 0))
        # The kernel takes them: nobody ever accepts.
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()


def connection_by(wire: str) -> Connection | None:
    """Return what a call must say to use a wire."""
    return Connection(wire=WIRE_A2A) if wire == "a2a" else None
