"""Signals: what somebody outside tells an instance by name, as an event with an id."""

from __future__ import annotations

from headgate.core.identity import event_fingerprint
from headgate.core.own_types import SIGNAL
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import Signal

SOURCE = "headgate:signal"


def event_of(signal: Signal) -> Event:
    """Return the event that a signal is to the instance that it is for; its origin is not set."""
    return Event(
        id=signal.signal_id,
        source=SOURCE,
        type=SIGNAL,
        subject=signal.name,
        datacontenttype=signal.datacontenttype,
        data=signal.data,
        correlation_id=signal.signal_id,
        fingerprint=event_fingerprint(SOURCE, signal.signal_id),
        has_id=True,
    )
