"""Batcher: one call for the items of many turns that run at the same time."""

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from headgate.sdk.errors import DefinitionError, RetryableError
from headgate.sdk.threads import Threads

In = TypeVar("In")
Out = TypeVar("Out")


class Batcher(Generic[In, Out]):
    """An awaitable function of one item that calls `call` with the items of many turns at once.

    A batch is what handlers ask for while the loop looks at one message of a `Turns` stream, so
    gathering costs no time. While `concurrency` batches run, further items wait and become the
    next ones, of at most `max_size`. `wait_ms` makes the first item of a batch wait for company
    longer: worth it only where items come one by one and a call costs more than the wait.

    `call` takes a list and returns as many results, in order: a plain function (it runs in a
    thread) or a coroutine function. If it raises, the items are tried one by one, so a bad item
    fails its own turn and no other; only a RetryableError goes to all of them, since it is about
    the service behind and not about an item. A turn whose deadline passes leaves the line.

    >>> upper = Batcher(lambda texts: [text.upper() for text in texts], max_size=32)
    >>> async def handlers():
    ...     return await asyncio.gather(upper("a"), upper("b"))
    >>> asyncio.run(handlers())
    ['A', 'B']
    """

    def __init__(
        self,
        call: Callable[[list[In]], Sequence[Out] | Awaitable[Sequence[Out]]],
        *,
        max_size: int = 64,
        wait_ms: float = 0.0,
        concurrency: int = 1,
    ) -> None:
        if max_size < 1 or concurrency < 1 or wait_ms < 0:
            message = "a batcher needs max_size and concurrency of 1 or more and no negative wait"
            raise DefinitionError(message)
        given: Any = call
        self._call = given
        self._is_async = any(map(inspect.iscoroutinefunction, (given, given.__call__)))
        self._max_size = max_size
        self._wait_seconds = wait_ms / 1000
        self._concurrency = concurrency
        self._pool: Threads | None = None
        # A line for each loop: agents outlive the loops of tests, and a future is bound to its own.
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line[In, Out]] = (
            WeakKeyDictionary()
        )

    async def __call__(self, item: In) -> Out:
        """Wait for this item's result; what `call` raises for it is raised here."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = _Line(self._answer, self._max_size, self._wait_seconds, self._concurrency)
            self._lines[loop] = line
        return await line.ask(item)

    async def _answer(self, items: list[In]) -> Sequence[Out]:
        try:
            if self._is_async:
                results: Sequence[Out] = await self._call(items)
            else:
                if self._pool is None:
                    self._pool = Threads(self._concurrency, "headgate-batch")
                loop = asyncio.get_running_loop()
                results = await loop.run_in_executor(self._pool, self._in_thread, items)
        except SystemExit as error:
            # As in a handler: it fails the turns that asked, not the service.
            message = f"a batcher's call exited with {error.code!r}"
            raise RuntimeError(message) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            message = "a batcher's call was cancelled from within"
            raise RuntimeError(message) from None
        if len(results) != len(items):
            message = f"a batcher's call returned {len(results)} results for {len(items)} items"
            raise DefinitionError(message)
        return results

    def _in_thread(self, items: list[In]) -> Sequence[Out]:
        try:
            results: Sequence[Out] = self._call(items)
            return results
        except StopIteration as error:
            # asyncio cannot carry it: the future would never be done, nor any batch behind it.
            message = "a batcher's call raised StopIteration"
            raise RuntimeError(message) from error


@dataclass(frozen=True, slots=True, eq=False)  # eq: items may be arrays, which have no truth value
class _Asked:
    item: Any
    result: asyncio.Future[Any]


class _Line(Generic[In, Out]):
    """The items of one loop that wait for a batch. Holds no loop, which would keep it alive."""

    def __init__(
        self,
        answer: Callable[[list[In]], Awaitable[Sequence[Out]]],
        max_size: int,
        wait_seconds: float,
        concurrency: int,
    ) -> None:
        self._answer = answer
        self._max_size = max_size
        self._wait_seconds = wait_seconds
        self._concurrency = concurrency
        self._waiting: deque[_Asked] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._due: asyncio.Handle | None = None

    async def ask(self, item: In) -> Out:
        loop = asyncio.get_running_loop()
        asked = _Asked(item, loop.create_future())
        self._waiting.append(asked)
        if len(self._waiting) >= self._max_size:
            self._start()
        elif self._due is None and len(self._running) < self._concurrency:
            # Behind the turns that are ready to run now: each may have an item of its own.
            self._due = (
                loop.call_later(self._wait_seconds, self._start)
                if self._wait_seconds
                else loop.call_soon(self._start)
            )
        try:
            result: Out = await asked.result
            return result
        except asyncio.CancelledError:
            # Behind a call that hangs, turns come and are cancelled for as long as it does.
            with suppress(ValueError):
                self._waiting.remove(asked)
            raise

    def _start(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        while len(self._running) < self._concurrency and (batch := self._take()):
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _take(self) -> list[_Asked]:
        size = min(len(self._waiting), self._max_size)
        return [self._waiting.popleft() for _ in range(size)]

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._start()

    async def _run(self, batch: list[_Asked]) -> None:
        try:
            await self._settle(batch)
        finally:
            for asked in batch:
                asked.result.cancel()  # only if the loop ends under the call; else it is done

    async def _settle(self, batch: list[_Asked]) -> None:
        try:
            results = await self._answer([asked.item for asked in batch])
        except (RetryableError, DefinitionError) as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for asked in batch:
                if not asked.result.done():
                    await self._settle([asked])
        else:
            for asked, result in zip(batch, results, strict=True):
                if not asked.result.done():
                    asked.result.set_result(result)


def _fail(batch: list[_Asked], error: Exception) -> None:
    for asked in batch:
        if not asked.result.done():
            asked.result.set_exception(error)
