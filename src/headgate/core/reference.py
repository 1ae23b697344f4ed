"""Events as outcomes name them."""

from __future__ import annotations

from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import EventRef, Outcome


def reference_to(event: Event) -> EventRef:
    """Return what an outcome keeps of an event: enough to apply it without the mailbox."""
    ref = EventRef()
    refer(ref, event)
    return ref


def refer(ref: EventRef, event: Event) -> None:
    """Fill an empty reference where it stands, in an outcome: made apart it would be copied."""
    event_id = event.id
    ref.fingerprint = event.fingerprint
    ref.id = event_id
    ref.source = event.source
    ref.correlation_id = event.correlation_id or event_id
    ref.has_id = event.has_id
    ref.time_us = event.time_us
    if event.HasField("origin"):
        ref.origin.CopyFrom(event.origin)


def cause_of(cause: int, outcome: Outcome) -> str:
    """Return the correlation id of the event that an output, message or timer names as its cause.

    cause: index in the events that the outcome took; "" where it took none of that index.
    """
    taken = outcome.taken
    return taken[cause].correlation_id if cause < len(taken) else ""
