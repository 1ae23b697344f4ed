"""How a workflow ends, and what it says to whoever comes after that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headgate.core.own_types import TIMER
from headgate.sdk.calls import NO_REPLY, REPLY, Refusal, reply
from headgate.sdk.errors import TerminalError
from headgate.sdk.event import Event
from headgate.sdk.turn import Turn
from headgate.sdk.workflow.activities import plain
from headgate.sdk.workflow.errors import Cancelled
from headgate.sdk.workflow.execution import Execution
from headgate.sdk.workflow.progress import CANCELLED, COMPLETED, FAILED, TERMINATED, Progress

GO_ON = "workflow/go-on"
"""Name of the timer, due at once, that ends a turn between two activities: so the result of the
first is in the journal before the second is called."""


def go_on(turn: Turn[Progress]) -> None:
    """Let the next turn follow this one at once."""
    turn.set_timer(GO_ON, timedelta(0))


def end(turn: Turn[Progress], run: Execution, value: Any, error: BaseException | None) -> None:
    """Write down what a workflow came to, and tell whoever called it."""
    progress = turn.state
    cancel_timers(turn, run)
    progress.pending, progress.attempts, progress.tag = {}, {}, ""
    if error is None:
        progress.status, progress.result = COMPLETED, plain(value)
    elif isinstance(error, Cancelled):
        progress.status, progress.error = CANCELLED, "cancelled"
    else:
        progress.status, progress.error = FAILED, f"{type(error).__name__}: {error}"
    if progress.reply_to:
        answer = progress.result if error is None else Refusal(progress.error)
        reply(turn, progress.reply_to, progress.call_id, answer)


def terminate(turn: Turn[Progress], event: Event) -> None:
    """End a workflow at once, whatever its code is like by now: it is not run."""
    progress = turn.state
    for number in progress.pending:
        turn.cancel_timer(f"workflow/{progress.run}/{number}")
    turn.cancel_timer(GO_ON)
    progress.pending, progress.attempts, progress.tag = {}, {}, ""
    reason = event.data if isinstance(event.data, str) else ""
    progress.status, progress.error = TERMINATED, reason or "terminated"
    if progress.reply_to:
        reply(turn, progress.reply_to, progress.call_id, Refusal(f"terminated: {progress.error}"))


def cancel_timers(turn: Turn[Progress], run: Execution) -> None:
    """Cancel what a run has set that is over."""
    for number, each in run.pending.items():
        if each.has_timer:
            turn.cancel_timer(run.timer_name(number))
    turn.cancel_timer(GO_ON)


def after_the_end(turn: Turn[Progress], event: Event) -> Any:
    """Answer an event for a workflow that has ended.

    Raises:
        TerminalError: it is neither late nor a call.
    """
    if event.type in {TIMER, REPLY}:
        return NO_REPLY
    if event.extensions.get("replyto"):
        # Started again by a caller: the answer is what it came to.
        progress = turn.state
        return progress.result if progress.status == COMPLETED else Refusal(progress.error)
    message = f"the workflow {turn.address} has ended ({turn.state.status})"
    raise TerminalError(message)
