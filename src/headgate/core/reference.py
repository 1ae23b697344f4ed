"""Events as outcomes name them."""

from __future__ import annotations

from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import EventRef


def reference_to(event: Event) -> EventRef:
    """Return what an outcome keeps of an event: enough to apply it without the mailbox."""
    ref = EventRef(
        fingerprint=event.fingerprint,
        id=event.id,
        source=event.source,
        correlation_id=event.correlation_id or event.id,
        has_id=event.has_id,
        time_us=event.time_us,
    )
    if event.HasField("origin"):
        ref.origin.CopyFrom(event.origin)
    return ref
