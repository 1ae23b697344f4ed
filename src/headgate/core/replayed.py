"""Reading a record that had become a dead letter once more, as an event of its own.

What was given up was taken by the outcome that gave it up, and the dedup window knows it: the same
identity again would be dropped. A replay is named after its dead letter instead, so that one letter
is taken once, however often it is handed over. Its origin is the inbox's record that brought it.
"""

from __future__ import annotations

from collections.abc import Mapping

from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.identity import digest, split_address
from headgate.core.letters import letter_for_record
from headgate.v1.turn_pb2 import DeadLetter, ReplayedRecord

ENTRY = "redis:"
"""What names an entry of a Redis stream, which was never given up: one that has an id of its own is
known by that, as a record is. No dead letter's name begins so.
"""


def read_again(
    given: ReplayedRecord, brought: Record, rules: Mapping[str, TopicRule]
) -> Decoded | DeadLetter:
    """Read a replayed record by its topic's rule; ``brought`` is the inbox's record around it."""
    made = _read(given, brought, rules)
    if isinstance(made, Decoded):
        event = made.event
        if not (event.has_id or given.HasField("event")):
            # Named after the place of the record that brought it, it would be taken for another.
            event.id = event.correlation_id = given.letter_id
        if not (event.has_id and given.letter_id.startswith(ENTRY)):
            event.fingerprint = digest("replayed", given.letter_id)
        event.has_id = True
        event.origin.CopyFrom(brought.origin())
    return made


def _read(
    given: ReplayedRecord, brought: Record, rules: Mapping[str, TopicRule]
) -> Decoded | DeadLetter:
    if given.HasField("event"):
        # It had been a message or a signal: no rule says how to read it, for it was read.
        return Decoded(split_address(given.address)[1], given.event)
    rule = rules.get(given.topic)
    if rule is None:
        message = f"{given.topic} is no topic of this job; add it to [[topics]], then replay again"
        return refuse_again(given, brought, reason="unknown_topic", message=message)
    record = Record(
        topic=given.topic,
        partition=brought.partition,
        offset=brought.offset,
        timestamp_ms=given.timestamp_ms,
        key=given.key,
        value=given.value,
        headers=given.headers,
    )
    made = decode(record, rule)
    if isinstance(made, DeadLetter):
        return refuse_again(given, brought, reason=made.reason, message=made.message)
    return made


def refuse_again(
    given: ReplayedRecord, brought: Record, *, reason: str, message: str
) -> DeadLetter:
    """Return a dead letter of the record once more, named after the record that brought it."""
    return letter_for_record(
        reason=reason,
        message=message,
        topic=brought.topic,
        partition=brought.partition,
        offset=brought.offset,
        timestamp_ms=brought.timestamp_ms,
        key=given.key,
        value=given.value,
        headers=dict(given.headers),
        address=given.address,
    )
