"""Requests into the dispatcher's loop in bursts, instead of a coroutine for each.

PyFlink makes a coroutine, a task and a future for every record and wakes the event loop's thread
for it. Invoke is done with a record as soon as the dispatcher has it, so the worker's own thread
puts records on a queue and wakes the loop once for all that have gathered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from pyflink.fn_execution.datastream.process.async_function.operation import AsyncFunctionRunner

Take = Callable[[Any], None]


class Handover:
    """Passes records from the worker's thread to a function in an event loop, in order."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: deque[Any] = deque()
        self._is_called = False
        self._failure: Exception | None = None

    def put(self, loop: asyncio.AbstractEventLoop, record: Any) -> None:
        """Hand a record over; raises what an earlier one ended in."""
        if self._failure is not None:
            raise self._failure
        self._waiting.append(record)
        if not self._is_called:
            self._is_called = True
            loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        # First, so that a record that comes now calls again rather than being left behind.
        self._is_called = False
        while self._waiting:
            try:
                self._take(self._waiting.popleft())
            except Exception as error:
                self._failure = error
                return


def install() -> None:
    """Let PyFlink's runner hand records to functions that have a ``handover`` attribute.

    Other async functions in the same worker go the stock way.
    """
    stock = AsyncFunctionRunner.run_async
    if getattr(stock, "knows_handover", False):
        return

    def run_async(runner: Any, function: Any, record: Any, result: Any) -> None:
        handover = getattr(getattr(function, "__self__", None), "handover", None)
        if handover is None:
            stock(runner, function, record, result)
            return
        try:
            handover.put(runner._loop, record)
        except Exception as error:
            result.complete_exceptionally(error)
        else:
            result.complete([])

    run_async.knows_handover = True  # type: ignore[attr-defined]
    AsyncFunctionRunner.run_async = run_async
