"""Drives conversations that are workflows of the peer's: a message, then the answer, by updates."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError

from benchmarks.temporal.conversation import Conversation
from benchmarks.temporal.worker import QUEUE
from benchmarks.texts import text

PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Talk:
    """What became of them: how many ended, what one's history came to, why others did not."""

    ended: int
    history_events: int
    history_bytes: int
    failures: tuple[str, ...]


class Talks:
    """So many conversations side by side, each with at most one message under way."""

    def __init__(self, target: str, count: int, calls: int, window: int, pause: float) -> None:
        self._target, self._count, self._calls = target, count, calls
        self._window, self._pause = window, pause
        self._failures: list[str] = []
        self._said = 0

    async def run(self, characters: int, parts: int, note: Callable[[list[float]], None]) -> Talk:
        """Talk to the end, in texts of so many characters; `note` is told the milliseconds of the
        answers of each part.
        """
        client = await Client.connect(self._target)
        handles = [
            await client.start_workflow(
                Conversation.run,
                args=[self._calls, self._window],
                id=uuid.uuid4().hex,
                task_queue=QUEUE,
            )
            for _ in range(self._count)
        ]
        for part in range(parts):
            calls = self._calls * (part + 1) // parts - self._calls * part // parts
            each = await asyncio.gather(*(self._talk(h, characters, calls) for h in handles))
            note([took for found in each for took in found])
        return await self._outcome(handles)

    async def _talk(
        self, handle: "WorkflowHandle[Conversation, int]", characters: int, calls: int
    ) -> list[float]:
        took: list[float] = []
        first = time.monotonic()
        for number in range(calls):
            await asyncio.sleep(max(first + number * self._pause - time.monotonic(), 0.0))
            self._said += 1
            said = text(self._said, characters)
            began = time.monotonic()
            try:
                await handle.execute_update(Conversation.say, said, rpc_timeout=PATIENCE)
            except (RPCError, WorkflowUpdateFailedError) as error:
                self._failures.append(f"{type(error).__name__}: {error}"[:200])
                break
            took.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(max(first + calls * self._pause - time.monotonic(), 0.0))
        return took

    async def _outcome(self, handles: "list[WorkflowHandle[Conversation, int]]") -> Talk:
        found = [await handle.describe() for handle in handles]
        info = found[0].raw_description.workflow_execution_info
        ended = 0
        for handle in handles:
            try:
                ended += await asyncio.wait_for(handle.result(), 5) == 2 * self._calls
            except Exception as error:
                self._failures.append(f"{type(error).__name__}: {error}"[:200])
        return Talk(ended, info.history_length, info.history_size_bytes, tuple(self._failures[:10]))
