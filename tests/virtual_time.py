"""An event loop whose clock jumps to the next thing that is due: minutes of timers in no time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Jump:
    """A selector that does not wait for a timer: the clock goes to where it would have been."""

    def __init__(self, selector: Any, loop: VirtualLoop) -> None:
        self._selector = selector
        self._loop = loop

    def select(self, timeout: float | None) -> Any:
        ready = self._selector.select(0)
        if not ready:
            assert timeout is not None, "nothing is ready, and no timer is set: it would hang"
            self._loop.jump(timeout)
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0. Only for what waits for timers alone: no threads, no network."""

    def __init__(self) -> None:
        self._at = 0.0
        super().__init__()
        self._selector = _Jump(self._selector, self)  # type: ignore[has-type]

    def time(self) -> float:
        return self._at

    def jump(self, seconds: float) -> None:
        self._at += max(0.0, seconds)


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run it to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
