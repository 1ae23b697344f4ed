"""Waiting at the desk without a thread for each that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from headgate.door.desk import Desk
from headgate.door.errors import BadRequestError
from headgate.kafka.workflow_views import ENDED, NO_WORKFLOW, workflow_view
from headgate.listening import MOST_SECONDS
from headgate.sdk.workflow.steps import START
from headgate.v1.agent_pb2 import Event
from headgate.v1.query_pb2 import QueryRequest
from headgate.v1.turn_pb2 import Reply, Signal

FIRST_LOOK_SECONDS, LOOK_SECONDS = 0.05, 1.0
"""Between two looks at a workflow that is waited for. Each is a question to the job; one that ends
at once is told at once, one that takes days costs a question a second."""

THREADS = 64
"""Writes to Kafka and questions to Gate that are under way at once, some ten milliseconds each."""


class Waiting:
    """The desk for a loop: what blocks there is awaited here. ``close`` lets go of the threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._threads = ThreadPoolExecutor(THREADS, "headgate-door")

    def close(self) -> None:
        """Let no more be asked."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def admit(self, authorization: str, address: str) -> str:
        """Let a caller through to an instance; return the address. See `Desk.admit`."""
        if self._desk.asks_who:
            await self._call(self._desk.admit, authorization, address)
        return address

    async def ask(self, address: str, event: Event, seconds: float) -> Reply | None:
        """Ask, and wait so long at most; None: not yet. See `Desk.ask` for errors."""
        return await _within(await self._call(self._desk.ask, address, event), seconds)

    async def reply(self, address: str, request_id: str, seconds: float) -> Reply | None:
        """Wait for the reply to what was asked before; None: not yet."""
        return await _within(self._desk.reply(address, request_id), seconds)

    async def signal(self, address: str, signal: Signal) -> None:
        """See `Desk.signal`."""
        await self._call(self._desk.signal, address, signal)

    async def look(self, address: str, *, at_least: int = 0) -> Any:
        """See `Desk.look`."""
        return await self._call(lambda: self._desk.look(address, at_least=at_least))

    async def query(self, address: str, question: QueryRequest, *, at_least: int = 0) -> Any:
        """See `Desk.query`."""
        return await self._call(lambda: self._desk.query(address, question, at_least=at_least))

    async def start(self, address: str, data: bytes, media_type: str = "") -> None:
        """Start a workflow; one that was started before goes on as it is. See `Desk.signal`."""
        started = Signal(name=START, signal_id=START, data=data, datacontenttype=media_type)
        await self.signal(address, started)

    async def workflow(self, address: str, seconds: float) -> dict[str, Any]:
        """Return how far a workflow is, once it has ended or the time is over."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + min(seconds, MOST_SECONDS), FIRST_LOOK_SECONDS
        while True:
            seen = await self._look_at_workflow(address)
            left = deadline - loop.time()
            if seen["status"] in ENDED or left <= 0:
                return seen
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, LOOK_SECONDS)

    async def progress(self, address: str, after: int = -1) -> AsyncIterator[dict[str, Any]]:
        """Tell how far a workflow is, at each turn after ``after`` that is seen, until its end."""
        pause = FIRST_LOOK_SECONDS
        while True:
            seen = await self._look_at_workflow(address)
            if seen["turn"] > after:
                after, pause = seen["turn"], FIRST_LOOK_SECONDS
                yield seen
            if seen["status"] in ENDED:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_SECONDS)

    async def _look_at_workflow(self, address: str) -> dict[str, Any]:
        found = await self.look(address)
        seen = workflow_view(found)
        if seen["status"] == NO_WORKFLOW:
            message = f"{address} is no workflow"
            raise BadRequestError(message)
        return {**seen, "turn": found.control.turn}

    async def _call(self, work: Any, *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)


async def _within(reply: Future[Reply], seconds: float) -> Reply | None:
    if reply.done():
        return reply.result()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(reply), min(seconds, MOST_SECONDS))
    except TimeoutError:
        return None
