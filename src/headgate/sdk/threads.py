"""Threads that end with the process, for calls that block.

Those of `ThreadPoolExecutor` are waited for when the interpreter ends: one call that hangs would
keep a service alive that was told to end, until somebody kills it.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

Work = tuple[Future[Any], Callable[[], Any]]


class Threads(Executor):
    """Runs calls in at most so many daemon threads, made when they are needed."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = Lock()
        self._threads: list[Thread] = []
        # Calls that were submitted and are not over.
        self._open = 0
        self._running = 0
        self._is_closed = False

    @property
    def running(self) -> int:
        """How many calls are at work, those among them whose result nobody waits for any more."""
        return self._running

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call as soon as a thread is free."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_closed:
                message = "cannot schedule new futures after shutdown"
                raise RuntimeError(message)
            self._open += 1
            self._queue.put((future, lambda: fn(*args, **kwargs)))
            if len(self._threads) < min(self._most, self._open):
                name = f"{self._name}-{len(self._threads)}"
                thread = Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls. A call that runs is waited for if `wait` says so, else left alone."""
        with self._lock:
            self._is_closed = True
            while cancel_futures:
                try:
                    work = self._queue.get_nowait()
                except Empty:
                    break
                if work is not None:
                    work[0].cancel()
                    self._open -= 1
            for _ in self._threads:
                self._queue.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            self._do(*work)

    def _do(self, future: Future[Any], call: Callable[[], Any]) -> None:
        if future.set_running_or_notify_cancel():
            with self._lock:
                self._running += 1
            try:
                result = call()
            except BaseException as error:
                self._leave(is_running=True)
                future.set_exception(error)
            else:
                self._leave(is_running=True)
                future.set_result(result)
        else:
            self._leave(is_running=False)

    def _leave(self, *, is_running: bool) -> None:
        with self._lock:
            self._open -= 1
            self._running -= is_running
