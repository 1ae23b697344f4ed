"""Takes a workflow's events, turn by turn: finds its run in memory or runs it again, feeds it."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.core.own_types import SIGNAL, TIMER
from headgate.sdk.calls import NO_REPLY, REPLY, Refusal, reply
from headgate.sdk.codec import from_json
from headgate.sdk.errors import Park, RetryableError, TerminalError, WholeListsError
from headgate.sdk.event import Event
from headgate.sdk.turn import Turn, to_json
from headgate.sdk.workflow.context import Context, attended
from headgate.sdk.workflow.errors import Cancelled, ContinueAsNew
from headgate.sdk.workflow.execution import Execution, Pending, Step
from headgate.sdk.workflow.progress import CANCELLED, COMPLETED, FAILED, NEW, RUNNING, Progress

REMEMBERED_RUNS = 1_000
"""Runs kept in memory, used longest ago forgotten first. Each costs what its variables hold; one
that is forgotten costs a run over its steps when it is told something again."""

CANCEL = "headgate.cancel"
"""Name of the signal that cancels a workflow."""

GO_ON = "workflow/go-on"
"""Name of the timer, due at once, that ends a turn between two activities: so the result of the
first is in the journal before the second is called."""

LONGEST_PAUSE = timedelta(minutes=5)
"""Between two attempts of an activity. What has been away for long is found again within it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Code = Callable[[Context, Any], Coroutine[Any, Any, Any]]


class Engine:
    """Runs the workflows of one agent type; `take` is its agent's handler for every event."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._runs: OrderedDict[str, tuple[str, Execution]] = OrderedDict()

    async def take(self, turn: Turn[Progress], event: Event) -> Any:
        """Let a workflow know of an event, and run on until it waits again."""
        progress = turn.state
        if progress.status == NEW:
            if event.type == SIGNAL:
                progress.early.append(_step_of_signal(event))
                return NO_REPLY
            run = self._begin(turn, event)
        elif progress.status != RUNNING:
            return _after_the_end(turn, event)
        else:
            run = self._find(turn)
            run.effects = turn
            step = _step_of(event, run, progress)
            if step is not None:
                self._tell(turn, run, step)
        run = await self._go_on(turn, run, event)
        self._keep(turn, run)
        return NO_REPLY

    # ------------------------------------------------------------------------------ runs in memory

    def _begin(self, turn: Turn[Progress], event: Event) -> Execution:
        if event.type in {TIMER, REPLY}:
            message = f"{turn.address} has not been started; send it an event of another type"
            raise TerminalError(message)
        progress = turn.state
        progress.reply_to = event.extensions.get("replyto", "")
        progress.call_id = event.extensions.get("callid", "")
        progress.status = RUNNING
        early, progress.early = progress.early, []
        return self._begin_run(turn, event.data, _now_us(turn), early)

    def _begin_run(
        self, turn: Turn[Progress], data: Any, now_us: int, signals: list[Step]
    ) -> Execution:
        progress = turn.state
        progress.run += 1
        progress.data, progress.started_us = data, now_us
        progress.attempts.clear()
        progress.steps.clear()
        run = Execution(turn.address, progress.run, now_us, effects=turn)
        self._start(run, data)
        for signal in signals:
            self._tell(turn, run, signal)
        return run

    def _start(self, run: Execution, data: Any) -> None:
        run.main = run.loop.spawn(attended(self._code, Context(run), data))
        run.proceed()

    def _find(self, turn: Turn[Progress]) -> Execution:
        """Take the run out of memory; if it is not there, or not of this state, run it again."""
        progress = turn.state
        tag, run = self._runs.pop(turn.address, ("", None))
        if run is not None:
            if tag == progress.tag:
                return run
            run.close()
        steps = progress.steps
        if steps.truncated:
            message = f"the run is not in memory; all of its {len(steps)} steps are needed"
            raise WholeListsError(message)
        run = Execution(turn.address, progress.run, progress.started_us)
        run.patches = {step["p"] for step in steps if "p" in step}
        self._start(run, progress.data)
        for step in steps:
            if "p" not in step:
                run.tell(step)
        run.check_pending(progress.pending)
        return run

    def _keep(self, turn: Turn[Progress], run: Execution) -> None:
        progress = turn.state
        run.effects = None
        if progress.status != RUNNING:
            run.close()
            return
        progress.pending = run.labels()
        # Of this very answer: another one to the same request is told from it.
        progress.tag = os.urandom(8).hex()
        self._runs[turn.address] = progress.tag, run
        while len(self._runs) > REMEMBERED_RUNS:
            _, (_, oldest) = self._runs.popitem(last=False)
            oldest.close()

    # -------------------------------------------------------------------------------------- steps

    def _tell(self, turn: Turn[Progress], run: Execution, step: Step) -> None:
        step["t"] = _now_us(turn)
        turn.state.steps.append(step)
        run.tell(step)

    async def _go_on(self, turn: Turn[Progress], run: Execution, event: Event) -> Execution:
        """Do the activities that are due, once in a turn, and see what has become of the run."""
        _wake_activity(run, turn, event)
        waiting = _due_activities(run, turn)
        if waiting and run.worked_in != turn.idempotency_key:
            run.worked_in = turn.idempotency_key
            for number, step in zip(waiting, await _work(turn, run, waiting), strict=True):
                # One that was cancelled by what came of another is forgotten.
                if step is not None and number in run.pending:
                    self._tell(turn, run, step)
            waiting = _due_activities(run, turn)
        if waiting:
            turn.set_timer(GO_ON, timedelta(0))
        for patch in run.new_patches:
            turn.state.steps.append({"p": patch, "t": _now_us(turn)})
        run.new_patches.clear()
        main = run.main
        if main is None or not main.is_done:
            return run
        if isinstance(main.error, ContinueAsNew):
            return await self._next_run(turn, run, main.error.data, event)
        if isinstance(main.error, Park):
            # Not the workflow's end: it waits, as it stood, for somebody to mend what is wrong.
            raise main.error
        _end(turn, run, main.value, main.error)
        return run

    async def _next_run(
        self, turn: Turn[Progress], run: Execution, data: Any, event: Event
    ) -> Execution:
        _cancel_timers(turn, run)
        left = [{"s": name, "d": each} for name, queue in run.signals.items() for each in queue]
        now_us = run.now_us
        run.close()
        following = self._begin_run(turn, _plain(data), now_us, left)
        following.worked_in = run.worked_in
        return await self._go_on(turn, following, event)


def _step_of(event: Event, run: Execution, progress: Progress) -> Step | None:
    """Return the step that an event is; None for one that says nothing (any more)."""
    if event.type == SIGNAL:
        return _step_of_signal(event)
    if event.type == TIMER:
        number = _number(event.subject.removeprefix("workflow/"), run)
        waiting = run.pending.get(number)
        if waiting is None or waiting.kind != "sleep":
            return None
        return {"n": number, "k": waiting.label}
    if event.type == REPLY:
        number = _number(event.extensions.get("callid", ""), run)
        if number not in run.pending:
            return None
        label = run.pending[number].label
        refused = event.extensions.get("refused")
        return {"n": number, "k": label, **({"e": refused} if refused else {"r": event.data})}
    return {"s": event.type, "d": event.data}


def _step_of_signal(event: Event) -> Step:
    return {"c": True} if event.subject == CANCEL else {"s": event.subject, "d": event.data}


def _number(text: str, run: Execution) -> int:
    number, _, step = text.partition("/")
    return int(step) if number == str(run.run) and step.isdecimal() else 0


# ------------------------------------------------------------------------------------- activities


def _wake_activity(run: Execution, turn: Turn[Progress], event: Event) -> None:
    """Note that the pause of an activity is over: a negative number of attempts says so."""
    if event.type == TIMER:
        attempts = turn.state.attempts
        name = str(_number(event.subject.removeprefix("workflow/"), run))
        if attempts.get(name, 0) > 0:
            attempts[name] *= -1


def _due_activities(run: Execution, turn: Turn[Progress]) -> list[int]:
    """Return the activities that were not tried yet, and those whose pause is over."""
    attempts = turn.state.attempts
    waiting = [number for number, each in run.pending.items() if each.kind == "activity"]
    return [number for number in waiting if attempts.get(str(number), 0) <= 0]


async def _work(turn: Turn[Progress], run: Execution, numbers: list[int]) -> list[Step | None]:
    """Do activities side by side; None for one that will be tried again."""
    return await asyncio.gather(*(_attempt(turn, run, n, run.pending[n]) for n in numbers))


async def _attempt(
    turn: Turn[Progress], run: Execution, number: int, activity: Pending
) -> Step | None:
    attempts = turn.state.attempts
    made = abs(attempts.get(str(number), 0)) + 1
    try:
        result = _plain(await _called(activity))
    except Exception as error:
        if made < activity.attempts and not isinstance(error, TerminalError):
            attempts[str(number)] = made
            pause = min(activity.backoff * 2 ** min(made - 1, 20), LONGEST_PAUSE)
            if isinstance(error, RetryableError) and error.after is not None:
                pause = error.after
            turn.set_timer(run.timer_name(number), pause)
            return None
        attempts.pop(str(number), None)
        return {"n": number, "k": activity.label, "e": f"{type(error).__name__}: {error}"}
    attempts.pop(str(number), None)
    return {"n": number, "k": activity.label, "r": result}


async def _called(activity: Pending) -> Any:
    work = activity.work
    if work is None:
        return None
    return await work() if activity.is_async else await asyncio.to_thread(work)


def _now_us(turn: Turn[Any]) -> int:
    return (turn.now - _EPOCH) // timedelta(microseconds=1)


def _plain(value: Any) -> Any:
    """Return a value as it would be read from a step: so code sees the same at each run."""
    return from_json(to_json(value).encode())


# -------------------------------------------------------------------------------------------- ends


def _end(turn: Turn[Progress], run: Execution, value: Any, error: BaseException | None) -> None:
    progress = turn.state
    _cancel_timers(turn, run)
    progress.pending, progress.attempts, progress.tag = {}, {}, ""
    if error is None:
        progress.status, progress.result = COMPLETED, _plain(value)
    elif isinstance(error, Cancelled):
        progress.status, progress.error = CANCELLED, "cancelled"
    else:
        progress.status, progress.error = FAILED, f"{type(error).__name__}: {error}"
    if progress.reply_to:
        answer = progress.result if error is None else Refusal(progress.error)
        reply(turn, progress.reply_to, progress.call_id, answer)


def _cancel_timers(turn: Turn[Progress], run: Execution) -> None:
    for number, each in run.pending.items():
        if each.kind in {"sleep", "activity"}:
            turn.cancel_timer(run.timer_name(number))
    turn.cancel_timer(GO_ON)


def _after_the_end(turn: Turn[Progress], event: Event) -> Any:
    if event.type in {TIMER, REPLY}:
        return NO_REPLY
    if event.extensions.get("replyto"):
        # Started again by a caller: the answer is what it came to.
        progress = turn.state
        return progress.result if progress.status == COMPLETED else Refusal(progress.error)
    message = f"the workflow {turn.address} has ended ({turn.state.status})"
    raise TerminalError(message)
