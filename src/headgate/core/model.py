"""What goes into :func:`headgate.core.machine.step` and what comes out of it.

Nobody changes any of it but ``Transition``, while the step makes it. What every turn builds is not
``frozen``, though: that sets each field through ``object.__setattr__``, which doubles the cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from headgate.core.patience import LEAST_MS
from headgate.core.trace import ALWAYS
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import (
    AgentMessage,
    AgentSpec,
    Call,
    Control,
    DeadLetter,
    InvokeRequest,
    Outcome,
    StoredControl,
)


class Items(Protocol):
    """An instance's stored items by name: the part of its state that is never read whole."""

    def get(self, name: str, /) -> bytes | None:
        """Return the item of that name, or None."""


@dataclass(slots=True)
class Snapshot:
    """An instance as it is stored. ``control`` is None if nothing is stored."""

    address: str
    control: StoredControl | None
    items: Items


# ------------------------------------------------------------------------------------------ inputs


@dataclass(slots=True)
class EventArrived:
    """An event for this instance was read from its source."""

    event: Event


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A message for this instance was read from the inbox; its event has that record as origin."""

    message: AgentMessage


@dataclass(slots=True)
class OutcomeRead:
    """An outcome for this instance was read from the journal.

    ``appended_ms`` is the record's log-append time. ``raw`` are the bytes of the JournalRecord,
    which the history keeps as they came.
    """

    outcome: Outcome
    raw: bytes
    appended_ms: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class ControlArrived:
    """An operator's control for this instance was read from the inbox."""

    control: Control


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The wake-up that the last transition asked for is due.

    It is the host's, for re-sends, waits and durable timers (``headgate.core.timers``) alike.
    """


Input = EventArrived | MessageArrived | OutcomeRead | ControlArrived | TimerFired


@dataclass(slots=True)
class Surroundings:
    """What dispatching may look at besides state. Applying never sees it.

    ``now_ms`` is the host's clock. ``spec`` is the registry's entry for the agent type, None if
    there is none; that only counts once ``registry_complete`` (the end at start has been read).
    ``promise`` names the time since Invoke started or last dropped a request: what was sent under
    the same promise is still held and is not sent again. Empty: Invoke has promised nothing.
    ``patience_ms`` is how long to wait before a request is first sent again. ``sampled_below``
    bounds which traces are recorded of those that begin here (``trace.bound_of``).
    ``budgets_changed_us`` is when somebody last changed a budget, microseconds since the epoch.
    """

    now_ms: int
    spec: AgentSpec | None
    registry_complete: bool = True
    promise: bytes = b""
    patience_ms: int = LEAST_MS
    sampled_below: int = ALWAYS
    budgets_changed_us: int = 0


# ----------------------------------------------------------------------------------------- effects


@dataclass(slots=True)
class SendRequest:
    """Hand a call to Invoke. May be lost or repeated: Gate re-sends, Invoke knows repeats.

    ``raw_request`` is the message that ``call`` is a part of, where it was built in one: a host
    that sends InvokeRequests sends it as it is instead of copying the call into another.
    ``estimate_nanos`` is what its agent's spec says that a call costs, 0 where it says nothing.
    """

    call: Call
    raw_request: InvokeRequest | None = None
    estimate_nanos: int = 0


@dataclass(frozen=True, slots=True)
class Decide:
    """Hand Invoke an outcome to journal without a call."""

    outcome: Outcome


@dataclass(slots=True)
class Emit:
    """Write to the outbox: a CloudEvent in structured JSON."""

    value: bytes


@dataclass(slots=True)
class RecordHistory:
    """Write to the history: HistoryRecord bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """Write to the dead letters."""

    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Parking:
    """Write to the parked instances: ParkedInstance bytes, empty if it goes on."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Post:
    """Write to the inbox, for the instance of that address: InboxRecord bytes, at least once."""

    address: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Replied:
    """Write to the replies: Reply bytes, under the request's id, at least once."""

    request_id: str
    value: bytes


Effect = SendRequest | Decide | Emit | RecordHistory | DeadLettered | Parking | Post | Replied


@dataclass(slots=True)
class Transition:
    """What a step changes.

    ``control`` is None if nothing is to be stored. ``puts`` maps item names to their new bytes,
    None to remove. ``wake_ms`` is when the instance wants a TimerFired, milliseconds since the
    epoch, 0 for never; the host sets a timer for ``set_timer_ms`` and deletes the one for
    ``delete_timer_ms`` (0: none). ``note`` says what became of the input, for metrics and tests;
    ``parked_by`` is 1 if it parked the instance, -1 if the instance goes on. ``verdict`` is that of
    the outcome that was applied.
    """

    control: StoredControl | None = None
    puts: dict[str, bytes | None] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    wake_ms: int = 0
    set_timer_ms: int = 0
    delete_timer_ms: int = 0
    note: str = ""
    parked_by: int = 0
    verdict: str | None = None
