"""Answers to questions, by whichever wire they come. Who waits holds no thread; who reads slowly a
connection to the store, of which a few are for that; who stops reading nothing after a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from itertools import islice
from typing import TypeVar

from headgate.history.conditions import read_test
from headgate.history.errors import (
    MomentError,
    NeverSeenError,
    NotClosedError,
    SlowReaderError,
)
from headgate.history.follow import Follower
from headgate.history.reading import Reader
from headgate.listening import MOST_SECONDS
from headgate.v1.history_pb2 import (
    Condition,
    Explanation,
    HistoryPosition,
    InFlightMessage,
    Moment,
    StateAsOf,
    TurnAsOf,
)

T = TypeVar("T")

THREADS, STREAMS = 8, 8
"""Questions that the store is asked at once, and long answers that are under way: each has a
connection, and `opening.POOL` has some more for the writer and retention."""

PARTS_AT_ONCE = 200
"""Of a long answer: what a thread brings each time."""

IDLE_SECONDS = 30.0
"""A long answer that nobody reads on is ended: eight who stopped reading, at a breakpoint or behind
a dead link, would keep all others from theirs."""

MOST_CONDITIONS = 20
"""Each is a query within the query: a thousand keep the store busy for seconds."""

LOOK_SECONDS = 0.25
"""Between two looks at the store of one that waits: moments close once a second."""


class Answers:
    """The store's reader for a loop, and the follower that brings what is waited for."""

    def __init__(self, reader: Reader, follower: Follower) -> None:
        self._reader = reader
        self._follower = follower
        self._threads = ThreadPoolExecutor(THREADS, "headgate-history-reading")
        self._streams = asyncio.Semaphore(STREAMS)

    def close(self) -> None:
        """Let no more be asked; those who were asking have ended by now."""
        self._threads.shutdown(cancel_futures=True)

    async def position(self) -> HistoryPosition:
        """Return how far the store is, and how far the topic."""
        found = await self._in_thread(self._reader.position)
        ends = self._follower.ends()
        for each in found.partitions:
            each.end_offset = max(ends.get(each.partition, 0), each.next_offset)
        found.problem = self.problem
        return found

    @property
    def problem(self) -> str:
        """Why the store does not go on; "" if it does."""
        return str(self._follower.failure or self._follower.waits_for)

    async def state(self, address: str, moment: Moment) -> StateAsOf:
        """See `Reader.state`; waits for its moment to be closed, or for its turn to come."""
        return await self._within(moment.wait_ms, lambda: self._reader.state(address, moment))

    async def explain(self, address: str, moment: Moment, path: str = "") -> Explanation:
        """See `Reader.explain`; waits as `state` does."""
        return await self._within(
            moment.wait_ms, lambda: self._reader.explain(address, moment, path)
        )

    async def turns(
        self, address: str, *, first: int = 0, last: int = 0, newest: int = 0
    ) -> list[TurnAsOf]:
        """See `Reader.turns`."""
        return await self._in_thread(
            lambda: self._reader.turns(address, first=first, last=last, newest=newest)
        )

    async def snapshot(
        self,
        moment: Moment,
        *,
        agent_type: str = "",
        where: Sequence[Condition] = (),
        only: Sequence[str] = (),
    ) -> AsyncGenerator[StateAsOf, None]:
        """See `Reader.snapshot`; waits for its moment to be closed."""
        if len(where) > MOST_CONDITIONS:
            message = f"{len(where)} conditions; at most {MOST_CONDITIONS} at once"
            raise MomentError(message)
        tests = [read_test(each.path, each.equals) for each in where]
        at_us = await self._closed(moment)
        found = self._reader.snapshot(at_us, agent_type=agent_type, where=tests, only=only)
        async with aclosing(self._parts(found)) as parts:
            async for each in parts:
                yield each

    async def in_flight(self, moment: Moment) -> AsyncGenerator[InFlightMessage, None]:
        """See `Reader.in_flight`; waits for its moment to be closed."""
        found = self._reader.in_flight(await self._closed(moment))
        async with aclosing(self._parts(found)) as parts:
            async for each in parts:
                yield each

    async def _parts(self, found: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        parts: asyncio.Queue[list[T] | Exception] = asyncio.Queue(1)
        pump = asyncio.create_task(self._pump(found, parts))
        try:
            while True:
                some = await parts.get()
                if isinstance(some, Exception):
                    raise some
                if not some:
                    return
                for each in some:
                    yield each
        finally:
            # Whoever asked may have gone in the middle.
            pump.cancel()

    async def _pump(
        self, found: Generator[T, None, None], parts: asyncio.Queue[list[T] | Exception]
    ) -> None:
        async with self._streams:
            step: asyncio.Future[list[T]] | None = None
            try:
                while step is None or step.result():
                    step = asyncio.ensure_future(
                        self._in_thread(lambda: list(islice(found, PARTS_AT_ONCE)))
                    )
                    some = await asyncio.shield(step)
                    async with asyncio.timeout(IDLE_SECONDS):
                        await parts.put(some)
            except TimeoutError:
                parts.get_nowait()
                message = f"nobody read on for {IDLE_SECONDS:.0f} s; ask again"
                parts.put_nowait(SlowReaderError(message))
            except Exception as error:
                await parts.put(error)
            finally:
                # Its connection goes back.
                await asyncio.shield(self._let_go(step, found))

    async def _let_go(
        self, step: asyncio.Future[list[T]] | None, found: Generator[T, None, None]
    ) -> None:
        if step is not None:
            # A thread may be at it still.
            await asyncio.wait([step])
        await self._in_thread(found.close)

    async def _closed(self, moment: Moment) -> int:
        if moment.turn or moment.valid_us:
            message = "of all instances, only a time can be asked for: turns are each one's own"
            raise MomentError(message)
        return await self._within(moment.wait_ms, lambda: self._reader.closed_at(moment.at_us))

    async def _within(self, wait_ms: int, answer: Callable[[], T]) -> T:
        deadline = time.monotonic() + min(max(wait_ms, 0) / 1000, MOST_SECONDS)
        while True:
            try:
                return await self._in_thread(answer)
            except (NotClosedError, NeverSeenError):
                rest = deadline - time.monotonic()
                if rest <= 0:
                    raise
            await asyncio.sleep(min(rest, LOOK_SECONDS))

    async def _in_thread(self, answer: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, answer)
