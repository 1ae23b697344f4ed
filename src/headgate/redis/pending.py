"""Which entries that are still pending stand in the inbox already."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from headgate.kafka.resumed import Resumed
from headgate.v1.turn_pb2 import InboxRecord

MOST_RECORDS = 5_000


def names_in_inbox(bootstrap: str, inbox: str, names: set[str], since_ms: int) -> set[str]:
    """Return those of some entries' names that were published.

    since_ms: since when the oldest of them was there: none was published before.

    Raises:
        BrokerUnreachableError, UnknownTopicError.
    """
    found: set[str] = set()
    with Resumed(bootstrap, inbox, most_records=MOST_RECORDS) as topic:
        left = {partition: topic.last(partition) for partition in range(topic.partitions)}
        for partition, start in topic.starts_at(since_ms).items():
            topic.seek(partition, start)
        while any(topic.position(partition) < end for partition, end in left.items()):
            for records in topic.poll().values():
                found.update(name for record in records if (name := _name(record.value)) in names)
    return found


def _name(value: bytes | None) -> str:
    try:
        return InboxRecord.FromString(value or b"").replayed.letter_id
    except DecodeError:
        return ""
