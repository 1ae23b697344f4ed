"""AgentService over grpc.aio: the contract's three calls."""

import asyncio
import importlib.metadata
from collections.abc import AsyncIterable
from typing import Any

import grpc

from headgate.sdk.agent import Agent
from headgate.sdk.errors import DefinitionError
from headgate.sdk.stream import TurnStream
from headgate.sdk.turnstile import Turnstile
from headgate.v1 import agent_pb2 as pb
from headgate.v1 import agent_pb2_grpc

CONTRACT_VERSION = 1


class Service(agent_pb2_grpc.AgentServiceServicer):
    """Serves agents until `drain`."""

    def __init__(self, agents: tuple[Agent[Any], ...], limit: int) -> None:
        self.agents = {agent.name: agent for agent in agents}
        if not agents or len(self.agents) < len(agents):
            message = "serve at least one agent, and each name once"
            raise DefinitionError(message)
        self._turnstile = Turnstile(self.agents, limit)
        self._streams: set[TurnStream] = set()
        self._calls = 0
        self._is_draining = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def Describe(  # noqa: N802 - gRPC's name
        self, request: pb.DescribeRequest, context: Any
    ) -> pb.DescribeResponse:
        return pb.DescribeResponse(
            contract_version=CONTRACT_VERSION,
            agents=[agent.describe() for agent in self.agents.values()],
            serves_turns_stream=True,
            sdk=f"headgate-python/{_version()}",
        )

    async def Turn(  # noqa: N802 - gRPC's name
        self, request: pb.TurnRequest, context: Any
    ) -> pb.TurnReply:
        if self._is_draining.is_set():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the service is shutting down")
        answered: asyncio.Future[pb.TurnReply] = asyncio.get_running_loop().create_future()

        def answer(reply: pb.TurnReply) -> None:
            if not answered.done():
                answered.set_result(reply)

        ticket = self._turnstile.submit(request, answer)
        if ticket is None:
            return answered.result()
        self._enter()
        draining = asyncio.ensure_future(self._is_draining.wait())
        try:
            await _first(answered, draining)
            if not answered.done() and not ticket.is_open:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the service is shutting down")
            return await answered
        finally:
            draining.cancel()
            if not answered.done():
                ticket.cancel()
            self._leave()

    async def Turns(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterable[pb.TurnRequestBatch], context: Any
    ) -> None:
        if self._is_draining.is_set():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the service is shutting down")
        self._enter()
        stream = TurnStream(self._turnstile, context.write)
        self._streams.add(stream)
        reading = asyncio.ensure_future(stream.read(request_iterator))
        writing = asyncio.ensure_future(stream.write())
        draining = asyncio.ensure_future(self._is_draining.wait())
        try:
            await _first(reading, writing, draining)
            if draining.done():
                reading.cancel()
            stream.end()
            await writing
            if not reading.cancelled() and reading.done():
                reading.result()  # a broken request stream ends in an error, not in OK
        finally:
            for task in (reading, writing, draining):
                task.cancel()
            stream.cancel()
            self._streams.discard(stream)
            self._leave()

    async def drain(self, seconds: float) -> bool:
        """Take no more turns and finish those that run; False if some were left."""
        self._turnstile.drop_waiting()
        self._is_draining.set()
        for stream in self._streams:
            stream.drop_waiting()
        is_idle = True
        try:
            async with asyncio.timeout(seconds):
                await self._is_idle.wait()
        except TimeoutError:
            is_idle = False
        finally:
            # A handler that hangs in a thread outlives its turn, whose deadline is over.
            is_free = self._turnstile.close()
        return is_idle and is_free

    def _enter(self) -> None:
        self._calls += 1
        self._is_idle.clear()

    def _leave(self) -> None:
        self._calls -= 1
        if not self._calls:
            self._is_idle.set()


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _version() -> str:
    try:
        return importlib.metadata.version("headgate")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"
