"""Doubles as real gRPC services: what `headgate.sim.agents` names, over a network.

Each has a port of its own, for a double that breaks its connection must not break another's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any, Self

import grpc
import grpc.aio

from headgate.sdk.server import MESSAGE_BYTES
from headgate.sim.agents import Answer, NoAnswer, SimAgent
from headgate.testing import background
from headgate.v1.agent_pb2 import (
    AgentDescription,
    DescribeRequest,
    DescribeResponse,
    TurnReply,
    TurnReplyBatch,
    TurnRequest,
    TurnRequestBatch,
)
from headgate.v1.agent_pb2_grpc import AgentServiceServicer, add_AgentServiceServicer_to_server

GONE = "as told, this double is unavailable"


class Doubles:
    """Serves doubles on free ports of this machine, until `close`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._services: dict[str, _Service] = {}
        self._servers: list[Any] = []

    def serve(self, name: str, agent: SimAgent, *, has_stream: bool = True) -> str:
        """Serve a double and return HOST:PORT; one of the same name is replaced where it is."""
        with self._lock:
            known = self._services.get(name)
            if known is not None and known.has_stream == has_stream:
                known.agent = agent
                return known.endpoint
            self._services[name] = made = _Service(name, agent, has_stream=has_stream)
            background.run(self._start(made))
            return made.endpoint

    def close(self) -> None:
        """Stop; calls without an answer stay without one."""
        for server in self._servers:
            background.run(server.stop(None))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _start(self, service: _Service) -> None:
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MESSAGE_BYTES),
                ("grpc.max_send_message_length", MESSAGE_BYTES),
            ]
        )
        add_AgentServiceServicer_to_server(service, server)
        service.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        self._servers.append(server)


class _Service(AgentServiceServicer):
    """One double. A service speaks for itself alone, so UNAVAILABLE ends its whole stream."""

    def __init__(self, name: str, agent: SimAgent, *, has_stream: bool) -> None:
        self.agent = agent
        self.has_stream = has_stream
        self.endpoint = ""
        self._name = name

    async def Describe(self, request: DescribeRequest, context: Any) -> DescribeResponse:  # noqa: N802
        return DescribeResponse(
            contract_version=1,
            agents=[AgentDescription(type=self._name)],
            serves_turns_stream=self.has_stream,
        )

    async def Turn(self, request: TurnRequest, context: Any) -> Answer:  # noqa: N802
        reply = await self._answer(request)
        if not isinstance(reply, TurnReply):
            await context.abort(grpc.StatusCode.UNAVAILABLE, GONE)
        return reply

    async def Turns(  # noqa: N802
        self, requests: AsyncIterator[TurnRequestBatch], context: Any
    ) -> AsyncIterator[TurnReplyBatch]:
        replies: asyncio.Queue[TurnReply | NoAnswer] = asyncio.Queue()

        async def turn(request: TurnRequest) -> None:
            replies.put_nowait(await self._answer(request))

        async def read() -> None:
            async for batch in requests:
                for request in batch.requests:
                    running.add(asyncio.create_task(turn(request)))

        running = {asyncio.create_task(read())}
        try:
            while isinstance(reply := await replies.get(), TurnReply):
                yield TurnReplyBatch(replies=[reply])
            await context.abort(grpc.StatusCode.UNAVAILABLE, GONE)
        finally:
            for task in running:
                task.cancel()

    async def _answer(self, request: TurnRequest) -> Answer:
        answer, takes_ms = self.agent.answer(request), self.agent.takes_ms(request)
        if answer is NoAnswer.SILENCE:
            await asyncio.Event().wait()
        await asyncio.sleep(takes_ms / 1_000)
        return answer
