"""Context: what a workflow's code sees of its run, and asks of Headgate."""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from headgate.sdk.errors import Park
from headgate.sdk.workflow.activities import plain
from headgate.sdk.workflow.errors import (
    ActivityError,
    Cancelled,
    CompensationError,
    ContinueAsNew,
)
from headgate.sdk.workflow.execution import Execution
from headgate.sdk.workflow.fibers import Future

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ATTEMPTS = 5
"""Of an activity: the first four pauses together are 15 s, long enough for a service to restart."""

BACKOFF = timedelta(seconds=1)


class Context:
    """The run of a workflow. All that it says and does is the same when the run is run again.

    What `activity`, `sleep`, `wait_signal`, `wait_until` and `call` return is awaited; so are
    `gather` and `race`. Nothing else may be: I/O belongs into activities.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._undo: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.random = random.Random(f"{execution.address} {execution.run}")  # noqa: S311 - to repeat

    @property
    def address(self) -> str:
        """The workflow's instance, "refund/17"."""
        return self._execution.address

    @property
    def key(self) -> str:
        """The workflow's id: the key of its instance."""
        return self.address.partition("/")[2]

    @property
    def run(self) -> int:
        """Number of the run, from 1; `continue_as_new` begins the next."""
        return self._execution.run

    @property
    def now(self) -> datetime:
        """When the run was last told something. It does not move between two awaits."""
        return _EPOCH + timedelta(microseconds=self._execution.now_us)

    def uuid(self) -> UUID:
        """Return a random UUID, the same when the run is run again."""
        return UUID(int=self.random.getrandbits(128), version=4)

    def show(self, **values: Any) -> None:
        """Put values, as JSON, where queries and `headgate workflows describe` see them."""
        if self._execution.effects is not None:
            self._execution.effects.state.shown.update(plain(values))

    # ------------------------------------------------------------------------------------- steps

    def activity(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        name: str = "",
        attempts: int = ATTEMPTS,
        backoff: timedelta = BACKOFF,
    ) -> Awaitable[Any]:
        """Call a function, plain or async, and keep what it returns (as JSON) as a step.

        It is called again where its result was lost in a crash: at least once. An exception is
        tried again, after pauses that double; the last one, or a TerminalError, is raised here as
        ActivityError.
        """
        label = name or getattr(function, "__name__", type(function).__name__)

        def work() -> Any:
            return function(*arguments)

        return self._execution.issue(
            "activity",
            label,
            work=work,
            is_async=inspect.iscoroutinefunction(function),
            attempts=max(1, attempts),
            backoff=backoff,
        )[1]

    def sleep(self, duration: timedelta) -> Awaitable[None]:
        """Wait for so long, by a durable timer: at no cost, through any crash."""
        execution = self._execution
        number, future = execution.issue("sleep", "")
        if execution.effects is not None:
            execution.effects.set_timer(execution.timer_name(number), duration)
        return future

    async def wait_signal(self, name: str, timeout: timedelta | None = None) -> Any:
        """Wait for a signal of that name, or an event of that type; return its data.

        Those that came before are taken first. Raises TimeoutError after ``timeout``.
        """
        return await self._in_time(self._execution.listen(name), timeout, f"signal {name!r}")

    async def wait_until(
        self, condition: Callable[[], bool], timeout: timedelta | None = None
    ) -> None:
        """Wait until a condition over the workflow's own variables holds; it is asked after each
        step. Raises TimeoutError after ``timeout``.
        """
        if condition():
            return
        fiber = self._execution.loop.spawn(self._until(condition))
        await self._in_time(fiber, timeout, "the condition")

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._execution.changed

    async def call(
        self,
        address: str,
        type: str,  # noqa: A002 - CloudEvents calls it so
        data: Any = None,
        *,
        timeout: timedelta | None = None,
    ) -> Any:
        """Send an event to another agent's instance, or start a workflow there, and wait for what
        its handler returns, or the workflow. Raises CallError if it refuses, TimeoutError after
        ``timeout``.
        """
        execution = self._execution
        number, future = execution.issue("call", f"{address} {type}")
        if execution.effects is not None:
            caller = {"replyto": self.address, "callid": f"{self.run}/{number}"}
            execution.effects.send(address, type, data, extensions=caller)
        return await self._in_time(future, timeout, f"call of {address}")

    async def _in_time(self, future: Future, timeout: timedelta | None, what: str) -> Any:
        if timeout is None:
            return await future
        first, value = await self.race(future, self.sleep(timeout))
        if first == 1:
            message = f"{what} did not come within {timeout}"
            raise TimeoutError(message)
        return value

    # ------------------------------------------------------------------------------- many at once

    def start(self, work: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Let a coroutine run beside this one; await what comes back for its result."""
        return self._execution.loop.spawn(work)

    async def gather(self, *parts: Awaitable[Any]) -> list[Any]:
        """Wait for all; return what they came to, in their order. The first error is raised, and
        the others are cancelled.
        """
        futures = [self._future(part) for part in parts]
        waiting = len(futures)
        finished = Future()

        def note(future: Future) -> None:
            nonlocal waiting
            waiting -= 1
            if future.error is not None or waiting == 0:
                finished.resolve(error=future.error)

        for each in futures:
            each.when_done(lambda each=each: note(each))  # type: ignore[misc]
        if futures:
            await self._or_cancel(finished, futures)
        return [each.value for each in futures]

    async def race(self, *parts: Awaitable[Any]) -> tuple[int, Any]:
        """Wait for the first; return its place and what it came to. The others are cancelled."""
        futures = [self._future(part) for part in parts]
        first = Future()
        for place, each in enumerate(futures):
            each.when_done(lambda place=place: first.resolve(place))  # type: ignore[misc]
        place = await self._or_cancel(first, futures)
        winner = futures[place]
        if winner.error is not None:
            raise winner.error
        return place, winner.value

    async def _or_cancel(self, awaited: Future, parts: list[Future]) -> Any:
        try:
            return await awaited
        finally:
            for each in parts:
                each.cancel()

    def _future(self, part: Awaitable[Any]) -> Future:
        if isinstance(part, Future):
            return part
        if isinstance(part, Coroutine):
            return self._execution.loop.spawn(part)
        message = f"{type(part).__name__} is no coroutine and nothing of the context's"
        raise TypeError(message)

    # ------------------------------------------------------------------------------------ effects

    def emit(self, type: str, data: Any = None, **more: Any) -> None:  # noqa: A002 - CloudEvents'
        """Publish an event to the outbox; see `Turn.emit`."""
        if self._execution.effects is not None:
            self._execution.effects.emit(type, data, **more)

    def send(self, address: str, type: str, data: Any = None, **more: Any) -> None:  # noqa: A002
        """Send a message and wait for nothing; see `Turn.send`."""
        if self._execution.effects is not None:
            self._execution.effects.send(address, type, data, **more)

    # ----------------------------------------------------------------------------- ways of the run

    def compensate(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have an activity undo what was just done, should the workflow fail or be cancelled.

        Those that were asked for last are called first. One that fails for good keeps none of the
        others from being called; the workflow then fails as CompensationError, which names it.
        """
        self._undo.append((function, arguments))

    def continue_as_new(self, data: Any = None) -> NoReturn:
        """End this run and begin the next with ``data``: its steps are forgotten. For loops that
        never end. Signals that nobody has taken go along.
        """
        raise ContinueAsNew(data)

    def patched(self, patch: str) -> bool:
        """Tell whether this run goes the way of a change of its code.

        True for a run that comes here for the first time, False for one that had passed here before
        the change was made. The answer is kept.
        """
        return self._execution.is_patched(patch)


async def attended(
    function: Callable[[Context, Any], Coroutine[Any, Any, Any]], context: Context, data: Any
) -> Any:
    """Run a workflow's code; where it fails or is cancelled, what it did is undone first."""
    try:
        return await function(context, data)
    except Park:
        # Not its end: it stands as it is until somebody resumes it.
        raise
    except (Exception, Cancelled) as error:
        left = []
        while context._undo:
            undo, arguments = context._undo.pop()
            name = getattr(undo, "__name__", type(undo).__name__)
            try:
                await context.activity(undo, *arguments, name=f"undo {name}")
            except ActivityError as failure:
                # One that cannot be undone is no reason to leave the others as they are.
                left.append(f"{name} ({failure})")
        if left:
            why = str(error) or type(error).__name__.lower()
            message = f"{why}; not undone: {', '.join(left)}"
            raise CompensationError(message) from error
        raise
