"""What an event is to a run: a step, or nothing (any more)."""

from __future__ import annotations

from headgate.core.own_types import SIGNAL, TIMER
from headgate.sdk.calls import REPLY
from headgate.sdk.event import Event
from headgate.sdk.workflow.execution import Execution, Step

CANCEL = "headgate.cancel"
"""Name of the signal that cancels a workflow."""

TERMINATE = "headgate.terminate"
"""Name of the signal that ends a workflow at once, without its code: nothing is undone."""

START = "headgate.start"
"""Name of the signal that starts a workflow with its data; one that was started before ignores it.
Events of any other kind start it too."""


def is_start(event: Event) -> bool:
    """Tell whether an event is the signal that starts."""
    return event.type == SIGNAL and event.subject == START


def is_terminate(event: Event) -> bool:
    """Tell whether an event is the signal that ends a workflow at once."""
    return event.type == SIGNAL and event.subject == TERMINATE


def step_of(event: Event, run: Execution) -> Step | None:
    """Return the step that an event is; None for one that says nothing (any more)."""
    if event.type == SIGNAL:
        return step_of_signal(event)
    if event.type == TIMER:
        number = run.number_of_timer(event.subject)
        waiting = run.pending.get(number)
        if waiting is None or waiting.kind != "sleep":
            return None
        return {"n": number, "k": waiting.label}
    if event.type == REPLY:
        number = run.number_of(event.extensions.get("callid", ""))
        if number not in run.pending:
            return None
        label = run.pending[number].label
        refused = event.extensions.get("refused")
        return {"n": number, "k": label, **({"e": refused} if refused else {"r": event.data})}
    return {"s": event.type, "d": event.data}


def step_of_signal(event: Event) -> Step:
    """Return the step that a signal is."""
    return {"c": True} if event.subject == CANCEL else {"s": event.subject, "d": event.data}
