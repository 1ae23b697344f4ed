"""What becomes of inputs for an instance whose stored state cannot be read: it is of a newer
version, or its seal is broken.

They are set aside and others go on. The state stays as it is: a version of Headgate that can read
it takes up from there.
"""

from __future__ import annotations

from headgate.core.codec import StateVersionError
from headgate.core.letters import letter_for_event, letter_for_record
from headgate.core.model import EventArrived, Input, MessageArrived, OutcomeRead
from headgate.flink.sealed_entries import BrokenStateError
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import DeadLetter

REASON, BROKEN = "state_version", "state_broken"


def letter_for_refused(
    given: Input, address: str, error: StateVersionError, journal: str
) -> DeadLetter | None:
    """Return the dead letter of an input, None for one that nobody would miss."""
    if isinstance(error, BrokenStateError):
        reason, remedy = BROKEN, "restore a checkpoint from before it"
    else:
        reason, remedy = REASON, "run the newer version"
    message = f"{error}; {remedy}, then replay this dead letter"
    match given:
        case EventArrived(event):
            return _letter(event, address, reason, message)
        case MessageArrived(sent):
            return _letter(sent.event, address, reason, message)
        case OutcomeRead(_, raw, appended_ms, partition, offset):
            return letter_for_record(
                reason=reason,
                message=message,
                topic=journal,
                partition=partition,
                offset=offset,
                timestamp_ms=appended_ms,
                key=address.encode(),
                value=raw,
                address=address,
            )
        case _:
            return None


def _letter(event: Event, address: str, reason: str, message: str) -> DeadLetter:
    letter = letter_for_event(event, address, reason=reason, message=message)
    # No turn gives it an id and a time.
    origin = event.origin
    letter.id = f"{origin.topic}/{origin.partition}/{origin.offset}"
    letter.at_ms = origin.timestamp_ms
    return letter
