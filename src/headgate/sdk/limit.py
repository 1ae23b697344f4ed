"""Limit: ends the handlers of a turn when the turn's deadline passes."""

import asyncio

from headgate.sdk.errors import DeadlineError


class Limit:
    """The deadline of a turn, around each handler that waits: cancels it, raises DeadlineError.

    What asyncio.timeout_at does, with one timer for the whole turn: a timeout around every handler
    takes nearly as much CPU as the task that the turn runs in. The timer stays set between
    handlers, where it cannot strike: nothing is awaited there.
    """

    __slots__ = ("_cancelling", "_deadline", "_has_struck", "_loop", "_task", "_timer")

    def __init__(self, deadline: float) -> None:
        task = asyncio.current_task()
        if task is None:
            message = "a turn with a deadline runs in a task"
            raise RuntimeError(message)
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._timer: asyncio.TimerHandle | None = None
        self._cancelling = 0
        self._has_struck = False

    def __enter__(self) -> None:
        self._cancelling = self._task.cancelling()
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._strike)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._has_struck:
            return
        # A handler may swallow its cancellation and return; the next one is cancelled again.
        self._has_struck = False
        self._timer = None
        is_only_ours = self._task.uncancel() <= self._cancelling
        if kind is not None and (
            (kind is asyncio.CancelledError and is_only_ours) or issubclass(kind, TimeoutError)
        ):
            message = "the turn's deadline passed while its handler ran"
            raise DeadlineError(message) from None

    def lift(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _strike(self) -> None:
        self._has_struck = True
        self._task.cancel()
