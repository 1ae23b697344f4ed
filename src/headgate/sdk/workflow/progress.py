"""What is stored of a workflow: small values, and its steps as an appended list."""

from dataclasses import dataclass, field
from typing import Any

from headgate.core.statuses import CANCELLED, COMPLETED, FAILED, NEW, RUNNING, TERMINATED
from headgate.sdk.log import Log, log

__all__ = ["CANCELLED", "COMPLETED", "FAILED", "NEW", "RUNNING", "TERMINATED", "Progress"]


@dataclass
class Progress:
    """State of a workflow's instance.

    ``steps`` are what it was told, in that order: what an activity, a sleep or a call came to, a
    signal, a patch. Run over them again, its code comes to the same point. ``pending`` are the
    steps that it waits for there: number to kind and name. ``tag`` names the turn that made this
    state: the coroutine in memory goes on from it and no other. ``early`` are signals that came
    before the start: they come by another topic, which no order binds to that of events.
    ``shown`` is what `Context.show` has put there, for queries.
    """

    status: str = NEW
    run: int = 0
    data: Any = None
    started_us: int = 0
    result: Any = None
    error: str = ""
    reply_to: str = ""
    call_id: str = ""
    pending: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    tag: str = ""
    early: list[Any] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    steps: Log[Any] = log()  # noqa: RUF009 - declares a field, as field() does
