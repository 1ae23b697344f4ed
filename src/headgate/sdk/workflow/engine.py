"""Takes a workflow's events, turn by turn: finds its run in memory or runs it again, feeds it."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.core.own_types import SIGNAL, TIMER
from headgate.sdk.calls import NO_REPLY, REPLY
from headgate.sdk.errors import Park, TerminalError, WholeListsError
from headgate.sdk.event import Event
from headgate.sdk.turn import Turn
from headgate.sdk.workflow import activities
from headgate.sdk.workflow.activities import plain
from headgate.sdk.workflow.context import Context, attended
from headgate.sdk.workflow.ends import after_the_end, cancel_timers, end, go_on, terminate
from headgate.sdk.workflow.errors import ContinueAsNew
from headgate.sdk.workflow.execution import Execution, Step
from headgate.sdk.workflow.progress import NEW, RUNNING, Progress
from headgate.sdk.workflow.steps import is_start, is_terminate, step_of, step_of_signal

REMEMBERED_RUNS = 1_000
"""Runs kept in memory, used longest ago forgotten first. Each costs what its variables hold; one
that is forgotten costs a run over its steps when it is told something again."""

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
        if is_terminate(event):
            _, run = self._runs.pop(turn.address, ("", None))
            if run is not None:
                run.close()
            if progress.status == RUNNING:
                terminate(turn, event)
            return NO_REPLY
        if progress.status == NEW:
            if event.type == SIGNAL and not is_start(event):
                progress.early.append(step_of_signal(event))
                return NO_REPLY
            run = self._begin(turn, event)
        elif is_start(event):
            # Its id is taken: whoever starts it again gets to the same workflow.
            return NO_REPLY
        elif progress.status != RUNNING:
            return after_the_end(turn, event)
        else:
            run = self._find(turn)
            run.effects = turn
            step = step_of(event, run)
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
        activities.wake(run, turn, event)
        waiting = activities.due(run, turn)
        if waiting and run.worked_in != turn.idempotency_key:
            run.worked_in = turn.idempotency_key
            for number, step in zip(
                waiting, await activities.work(turn, run, waiting), strict=True
            ):
                # One that was cancelled by what came of another is forgotten.
                if step is not None and number in run.pending:
                    self._tell(turn, run, step)
            waiting = activities.due(run, turn)
        if waiting:
            go_on(turn)
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
        end(turn, run, main.value, main.error)
        return run

    async def _next_run(
        self, turn: Turn[Progress], run: Execution, data: Any, event: Event
    ) -> Execution:
        cancel_timers(turn, run)
        left = [{"s": name, "d": each} for name, queue in run.signals.items() for each in queue]
        now_us = run.now_us
        run.close()
        following = self._begin_run(turn, plain(data), now_us, left)
        following.worked_in = run.worked_in
        return await self._go_on(turn, following, event)


def _now_us(turn: Turn[Any]) -> int:
    return (turn.now - _EPOCH) // timedelta(microseconds=1)
