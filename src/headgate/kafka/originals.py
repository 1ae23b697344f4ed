"""The records that dead letters are about, as they stood in their topics."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from headgate.config import TopicNames
from headgate.core import asked
from headgate.core.signals import event_of
from headgate.kafka.span import Spans
from headgate.v1.turn_pb2 import DeadLetter, InboxRecord, ReplayedRecord


class Originals:
    """Finds records by their place; the copy in a letter may be cut, and lacks headers."""

    def __init__(self, spans: Spans, names: TopicNames) -> None:
        """`spans` reads all there is: what was read once was committed then."""
        self._spans = spans
        self._names = names

    def find(self, letter: DeadLetter) -> ReplayedRecord | str:
        """Return what to hand to the job again, or why there is nothing."""
        place = letter.origin
        where = f"{place.topic}/{place.partition}@{place.offset}"
        if not place.topic:
            return "it names no record"
        if place.topic == self._names.journal:
            return f"it is about {where}, a record of the journal, which stays there"
        read = self._spans.records(place.topic, place.partition, place.offset, place.offset + 1)
        record = next(iter(read), None)
        if record is None:
            return f"the topic does not hold {where} any more"
        found = ReplayedRecord(
            topic=place.topic,
            key=record.key,
            value=record.value,
            headers={name: value or b"" for name, value in record.headers or ()},
            timestamp_ms=record.timestamp,
        )
        if place.topic == self._names.inbox:
            inner = _inner(record.value)
            if inner is None:
                return f"{where} is no event; send what it says again"
            found = inner
            if found.HasField("event") and not letter.address:
                return f"{where} names no instance; send what it says again"
        found.letter_id = letter.id
        # A letter without an address was never for anybody, whoever brought it.
        found.address = letter.address
        return found


def _inner(value: bytes | None) -> ReplayedRecord | None:
    try:
        found = InboxRecord.FromString(value or b"")
    except DecodeError:
        return None
    match found.WhichOneof("kind"):
        case "replayed":
            return found.replayed
        case "message":
            return ReplayedRecord(event=found.message.event)
        case "signal":
            return ReplayedRecord(event=event_of(found.signal))
        case "asked":
            return ReplayedRecord(event=asked.event_of(found.asked))
        case _:
            return None
