"""Which entries that are still pending stand in the inbox already."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.kafka.resumed import Resumed
from headgate.v1.turn_pb2 import InboxRecord

MOST_RECORDS = 5_000


APART_MS = 600_000
"""How far the clocks of Redis and of Kafka, or of whoever chose an entry's id, may be apart."""


def since(entry_ms: Iterable[int], now_ms: int) -> int:
    """Return since when entries may stand in the inbox, by the times of their ids; 0 where those
    say nothing, for they lie ahead.

    >>> since([1_700_000_600_000, 1_700_000_700_000], 1_700_000_800_000)
    1700000000000
    """
    oldest, newest = min(times := [*entry_ms]), max(times)
    return 0 if newest > now_ms + APART_MS else max(0, oldest - APART_MS)


def names_in_inbox(bootstrap: Bootstrap, inbox: str, names: set[str], since_ms: int) -> set[str]:
    """Return those of some entries' names that were published.

    since_ms: none of them was published before.

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
