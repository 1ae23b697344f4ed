"""A tiny event loop without a clock: fibers run until all of them wait for a future.

Deterministic: fibers run in the order in which they became runnable, and futures are resolved from
outside only, one at a time. So the same resolutions in the same order make the same run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

from headgate.sdk.errors import Park
from headgate.sdk.workflow.errors import Cancelled


class Future:
    """Something that a fiber may wait for."""

    __slots__ = ("_on_cancel", "_waiters", "error", "is_done", "value")

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        self.is_done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self._on_cancel = on_cancel
        self._waiters: list[Callable[[], None]] = []

    def __await__(self) -> Generator[Future, None, Any]:
        while not self.is_done:
            yield self
        if self.error is not None:
            raise self.error
        return self.value

    def resolve(self, value: Any = None, error: BaseException | None = None) -> None:
        """Say what it came to; a second word changes nothing."""
        if self.is_done:
            return
        self.is_done, self.value, self.error = True, value, error
        waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    def cancel(self) -> None:
        """Nobody waits for it any more; whoever does is told so."""
        if not self.is_done:
            if self._on_cancel is not None:
                self._on_cancel()
            self.resolve(error=Cancelled())

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once it is done."""
        if self.is_done:
            wake()
        else:
            self._waiters.append(wake)


class Fiber(Future):
    """A coroutine at work; as a future it is what the coroutine returns."""

    __slots__ = ("_coroutine", "_loop", "_thrown", "_waits_for")

    def __init__(self, loop: Loop, coroutine: Coroutine[Any, Any, Any]) -> None:
        super().__init__()
        self._loop = loop
        self._coroutine = coroutine
        self._waits_for: Future | None = None
        self._thrown: BaseException | None = None
        loop.ready(self)

    def step(self) -> None:
        """Run until it waits or ends."""
        waits_for = self._waits_for
        is_woken = waits_for is None or waits_for.is_done or self._thrown is not None
        if self.is_done or not is_woken:
            return
        self._waits_for = None
        thrown, self._thrown = self._thrown, None
        try:
            if thrown is None:
                waits_for = self._coroutine.send(None)
            else:
                waits_for = self._coroutine.throw(thrown)
        except StopIteration as done:
            self.resolve(done.value)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.resolve(error=error)
        else:
            if not isinstance(waits_for, Future):
                message = (
                    f"the workflow awaits {type(waits_for).__name__}, which nothing here can wake; "
                    "await what its context makes, and put I/O into activities"
                )
                self._throw(Park(message))
                return
            self._waits_for = waits_for
            waits_for.when_done(lambda: self._loop.ready(self))

    def cancel(self) -> None:
        """Raise Cancelled where the coroutine waits."""
        if not self.is_done:
            waits_for = self._waits_for
            self._throw(Cancelled())
            if waits_for is not None and not isinstance(waits_for, Fiber):
                waits_for.cancel()

    def close(self) -> None:
        """Let go of the coroutine where it stands."""
        with suppress(RuntimeError):  # it awaits in a finally block, which nobody will end
            self._coroutine.close()

    def _throw(self, error: BaseException) -> None:
        self._thrown = error
        self._loop.ready(self)


class Loop:
    """Runs fibers."""

    def __init__(self) -> None:
        self._ready: deque[Fiber] = deque()
        self._fibers: list[Fiber] = []

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Fiber:
        """Begin a fiber; it runs with the next `run`."""
        made = Fiber(self, coroutine)
        self._fibers.append(made)
        return made

    def ready(self, fiber: Fiber) -> None:
        """Let a fiber have its turn."""
        self._ready.append(fiber)

    def run(self) -> None:
        """Run until every fiber waits or has ended."""
        while self._ready:
            self._ready.popleft().step()
        self._fibers = [fiber for fiber in self._fibers if not fiber.is_done]

    def close(self) -> None:
        """Let go of all fibers; their `finally` blocks run, and may not wait."""
        self._ready.clear()
        for fiber in self._fibers:
            fiber.close()
        self._fibers.clear()
