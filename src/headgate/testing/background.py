"""One event loop beside the tests, for every agent service that a test process hosts.

One, because gRPC has a single queue of events per process: loops of several threads wake up for
each other's, and log an error for each that another was quicker to take.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in that loop and return what it returns."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


_starting = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    with _starting:
        return _started()


@functools.cache
def _started() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="headgate-agents", daemon=True).start()
    return loop
