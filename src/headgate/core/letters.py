"""Dead letters: what could not be taken, why, and where it was read."""

from __future__ import annotations

from headgate.v1.agent_pb2 import FAILURE_CODE_UNSPECIFIED, Event, FailureCode
from headgate.v1.turn_pb2 import DeadLetter

LETTER_BYTES = 256 * 1024
"""Most of a record that a dead letter keeps. Its own record must always fit, whatever its cause
was."""

MESSAGE_CHARS = 4_096

HEADERS_BYTES = 64 * 1024
"""Most of a record's headers that a dead letter keeps: there may be a hundred thousand of them."""


def letter_for_event(
    event: Event,
    address: str,
    *,
    reason: str,
    message: str,
    attempts: int = 0,
    code: FailureCode = FAILURE_CODE_UNSPECIFIED,
) -> DeadLetter:
    """Return the dead letter of a decoded event; ``at_ms`` and ``id`` are set when it applies."""
    letter = DeadLetter(
        reason=reason,
        message=message[:MESSAGE_CHARS],
        address=address,
        record_value=event.data[:LETTER_BYTES],
        truncated=len(event.data) > LETTER_BYTES,
        event_id=event.id,
        event_type=event.type,
        code=code,
        attempts=attempts,
    )
    if event.HasField("origin"):
        letter.origin.CopyFrom(event.origin)
    return letter


def letter_for_record(
    *,
    reason: str,
    message: str,
    topic: str,
    partition: int,
    offset: int,
    timestamp_ms: int,
    key: bytes | None,
    value: bytes | None,
    headers: dict[str, bytes] | None = None,
    address: str = "",
) -> DeadLetter:
    """Return the dead letter of a record that could not be read as what its topic says."""
    value = value or b""
    letter = DeadLetter(
        reason=reason,
        message=message[:MESSAGE_CHARS],
        address=address,
        record_key=(key or b"")[:MESSAGE_CHARS],
        record_value=value[:LETTER_BYTES],
        truncated=len(value) > LETTER_BYTES,
        id=f"{topic}/{partition}/{offset}",
        at_ms=timestamp_ms,
    )
    letter.origin.topic = topic
    letter.origin.partition = partition
    letter.origin.offset = offset
    letter.origin.timestamp_ms = timestamp_ms
    left = HEADERS_BYTES
    for name, content in (headers or {}).items():
        kept = (content or b"")[:MESSAGE_CHARS]
        # With what protobuf needs around an entry.
        left -= len(name.encode()) + len(kept) + 16
        if left < 0:
            letter.truncated = True
            break
        letter.record_headers[name] = kept
    return letter


def part_id(letter_id: str, part: int) -> str:
    """Return the id of the dead letter of one of a record's batch, counted from 0.

    Outcomes that share a record share its place: by that alone, a reader that drops repeats would
    take the second one's letter for the first's.

    >>> part_id("journal/0/17", 0), part_id("journal/0/17", 2)
    ('journal/0/17', 'journal/0/17/2')
    """
    return f"{letter_id}/{part}" if part else letter_id
