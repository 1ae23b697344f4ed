"""The inbox: what its records are to the instances that they are for."""

from __future__ import annotations

from headgate.core import asked
from headgate.core.bounds import fault_of_time
from headgate.core.decode import MAX_ATTRIBUTE_CHARS
from headgate.core.letters import MESSAGE_CHARS
from headgate.core.model import ControlArrived, EventArrived, MessageArrived
from headgate.core.signals import event_of
from headgate.v1.agent_pb2 import Origin
from headgate.v1.turn_pb2 import Controlled, InboxRecord

_VERBS = frozenset(Controlled.Verb.values()) - {Controlled.VERB_UNSPECIFIED}


def arrived(
    found: InboxRecord, place: Origin
) -> EventArrived | MessageArrived | ControlArrived | None:
    """Return the input that a record is to its instance; None if it is something else or none.

    place: where the record stands, which is the origin of the event that it brings.
    """
    match found.WhichOneof("kind"):
        case "message":
            message = found.message
            if fault_of_time(message.at_us, "at"):
                return None
            message.event.origin.CopyFrom(place)
            # Whoever wrote it: a turn that takes it is dated after the one that sent it.
            message.event.at_us = message.at_us
            return MessageArrived(message)
        case "signal":
            if not (found.signal.signal_id and found.signal.name):
                return None
            event = event_of(found.signal)
            event.origin.CopyFrom(place)
            return EventArrived(event)
        case "asked":
            if asked.fault_of(found.asked):
                return None
            event = asked.event_of(found.asked)
            event.origin.CopyFrom(place)
            return EventArrived(event)
        case "control":
            control = found.control
            known = control.verb in _VERBS and len(control.control_id) <= MAX_ATTRIBUTE_CHARS
            if not known:
                return None
            # It becomes part of an outcome, which must fit a record.
            control.reason = control.reason[:MESSAGE_CHARS]
            return ControlArrived(control)
        case _:
            return None
