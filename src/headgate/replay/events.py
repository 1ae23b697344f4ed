"""The event that a record of Kafka was to its instance, and the one that a timer became. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from google.protobuf.message import DecodeError

from headgate.core import timers
from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.inbox import arrived
from headgate.core.model import EventArrived, MessageArrived
from headgate.core.replayed import read_again
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import DeadLetter, EventRef, HistoryRecord, InboxRecord

_TIMER = re.compile(r"(?s)(.+)/([0-9]+)/t([0-9]+)")


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Return it as messages name it."""
        return f"{self.topic}/{self.partition}@{self.offset}"


def place_of(ref: EventRef) -> Place | None:
    """Return where an event was read; None of one that came in no record, which is a timer's."""
    if not ref.HasField("origin"):
        return None
    return Place(ref.origin.topic, ref.origin.partition, ref.origin.offset)


def event_in(record: Record, inbox: str, rules: Mapping[str, TopicRule]) -> Event | str:
    """Return the event that a record is by the rules of now, or why it is none.

    inbox: name of Headgate's own topic, whose records have no rule.
    """
    if record.topic == inbox:
        return _in_inbox(record, rules)
    rule = rules.get(record.topic)
    if rule is None:
        return f"{record.topic} is no topic of this headgate.toml; add it to [[topics]]"
    return _of(decode(record, rule))


def _in_inbox(record: Record, rules: Mapping[str, TopicRule]) -> Event | str:
    try:
        found = InboxRecord.FromString(record.value or b"")
    except DecodeError as error:
        return f"it is no record of Headgate's any more: {error}"
    if found.HasField("replayed"):
        return _of(read_again(found.replayed, record, rules))
    match arrived(found, record.origin()):
        case EventArrived(event):
            return event
        case MessageArrived(message):
            return message.event
        case _:
            return "it is no event"


def _of(made: Decoded | DeadLetter) -> Event | str:
    return made.event if isinstance(made, Decoded) else made.message


def fault_of(ref: EventRef, event: Event) -> str:
    """Return why an event is not the one that a turn took; "" if it is."""
    if event.fingerprint == ref.fingerprint:
        return ""
    return (
        f"what stands there now is event {event.id!r} of {event.source}, not {ref.id!r} of "
        f"{ref.source}: the topic was made anew, or is read in another way now"
    )


def turn_of_timer(ref: EventRef) -> int:
    """Return the turn that set the timer whose event this is; 0 if it is none."""
    named = _TIMER.fullmatch(ref.id)
    return int(named[2]) if named and ref.source == f"headgate:{named[1]}" else 0


def timer_event(ref: EventRef, setting: HistoryRecord, address: str) -> Event | None:
    """Return a timer's event, made of the turn that set it; None where that turn set no such."""
    named = _TIMER.fullmatch(ref.id)
    index = int(named[3]) if named else 0
    if named is None or index >= len(setting.outcome.timers):
        return None
    return timers.event_of(
        setting.outcome,
        index,
        address=address,
        turn=setting.outcome.turn,
        base=setting.base_after,
        at_us=setting.at_us,
    )
