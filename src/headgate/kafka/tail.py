"""Reading a topic as people do: its end, all of it, its last N records, and what comes.

Rules:
- The backlog ends where the topic ended when the reader was made; under read_committed that is
  the last stable offset, so an open transaction never holds a reader up.
- The backlog is in the order of the records' timestamps, as far as each partition's order allows.
- What is not wanted (`view` returns None) does not count towards the last N.
- A record may hold several (`unpack`): each is looked at by itself, and all have its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.core.batch import records_in
from headgate.core.decode import Record
from headgate.kafka.connect import open_consumer
from headgate.kafka.publish import count_partitions

if TYPE_CHECKING:
    from kafka import TopicPartition

V = TypeVar("V")
Start = Literal["start", "end"] | int

POLL_MS = 300
# Records of one partition that wait for those of another, to be put in order. One that has so many
# rests until half are gone: a topic whose partitions differ in age would else fill the memory.
AHEAD_AT_MOST = 4_000
# Offsets are not records (transaction markers and aborted records have some too): the last N are
# looked for within so many offsets, and further back by the same factor while they are too few.
WIDER = 4


def alone(record: Record) -> Sequence[Record]:
    """Take a record as it is."""
    return (record,)


def journaled(record: Record) -> Sequence[Record]:
    """Take a record of the journal apart: outcomes that were journaled together are one record."""
    try:
        values = records_in(record.value or b"")
    except DecodeError:
        return (record,)
    return [record if value is record.value else replace(record, value=value) for value in values]


class Tail(Generic[V]):
    """Reads one topic; `view` turns a record into what the caller wants, or None to skip it."""

    def __init__(
        self,
        bootstrap: Bootstrap,
        topic: str,
        view: Callable[[Record], V | None],
        *,
        start: Start = "end",
        is_read_committed: bool = False,
        unpack: Callable[[Record], Sequence[Record]] = alone,
    ) -> None:
        """Connect; raises BrokerUnreachableError and UnknownTopicError."""
        from kafka import TopicPartition

        partitions = count_partitions(bootstrap, topic)
        self._view = view
        self._unpack = unpack
        self._start = start
        self._consumer = open_consumer(
            bootstrap,
            isolation_level="read_committed" if is_read_committed else "read_uncommitted",
            auto_offset_reset="earliest",
            shows_sealed=True,
        )
        self._places = [TopicPartition(topic, index) for index in range(partitions)]
        self._begins: dict[TopicPartition, int] = self._consumer.beginning_offsets(self._places)
        self._ends: dict[TopicPartition, int] = self._consumer.end_offsets(self._places)

    def backlog(self) -> Iterator[V]:
        """Yield what there is already and is wanted."""
        match self._start:
            case "end":
                return
            case "start":
                yield from self._seen(self._merged(self._begins))
            case 0:
                return
            case int(count):
                yield from self._last(count)

    def follow(self) -> Iterator[V]:
        """Yield what comes after the backlog, for ever."""
        self._consumer.assign(self._places)
        for place in self._places:
            self._consumer.seek(place, self._ends[place])
        while True:
            polled = self._consumer.poll(POLL_MS)
            fresh = sorted(
                (record for records in polled.values() for record in records),
                key=lambda record: (record.timestamp, record.partition, record.offset),
            )
            yield from self._seen(fresh)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _last(self, count: int) -> Iterator[V]:
        reach = count
        while True:
            begins = {
                place: max(self._begins[place], self._ends[place] - reach) for place in self._places
            }
            # The last N of all are among the last N of each partition.
            newest = {place: deque[tuple[tuple[int, int], V]](maxlen=count) for place in begins}
            order = 0
            for record in self._merged(begins):
                place = self._places[record.partition]
                for seen in self._seen([record]):
                    order += 1
                    newest[place].append(((record.timestamp, order), seen))
            if all(len(newest[p]) == count or begins[p] == self._begins[p] for p in begins):
                break
            reach *= WIDER
        found = sorted((item for items in newest.values() for item in items), key=lambda it: it[0])
        yield from (seen for _, seen in found[-count:])

    def _merged(self, begins: dict[TopicPartition, int]) -> Iterator[Any]:
        """Yield the records from `begins` to the ends, oldest first."""
        waiting: dict[TopicPartition, deque[Any]] = {
            place: deque() for place in self._places if begins[place] < self._ends[place]
        }
        unread = dict(begins)  # the next offset of each partition that is not at its end
        resting: set[TopicPartition] = set()
        assigned: set[TopicPartition] = set()
        while unread := {p: at for p, at in unread.items() if at < self._ends[p]}:
            # Not pause(): with 3.0.12 a partition that is paused while its records are being handed
            # out stops the others for good.
            if assigned != set(unread) - resting:
                assigned = set(unread) - resting
                self._consumer.assign(list(assigned))
                for place in assigned:
                    self._consumer.seek(place, unread[place])
            for place, records in self._consumer.poll(POLL_MS).items():
                waiting[place].extend(r for r in records if r.offset < self._ends[place])
            unread.update({place: self._consumer.position(place) for place in assigned})
            while all(waiting[p] for p in unread if unread[p] < self._ends[p]) and any(
                waiting.values()
            ):
                yield _pop_oldest(waiting)
            resting |= {p for p in waiting if len(waiting[p]) >= AHEAD_AT_MOST}
            resting -= {p for p in resting if len(waiting[p]) <= AHEAD_AT_MOST // 2}
        while any(waiting.values()):
            yield _pop_oldest(waiting)

    def _seen(self, records: Iterable[Any]) -> Iterator[V]:
        for record in records:
            for each in self._unpack(as_record(record)):
                seen = self._view(each)
                if seen is not None:
                    yield seen


def as_record(record: Any) -> Record:
    """Return kafka-python's record as Headgate's."""
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers={name: value or b"" for name, value in record.headers or ()},
    )


def _pop_oldest(waiting: dict[TopicPartition, deque[Any]]) -> Any:
    heads = (queue for queue in waiting.values() if queue)
    return min(heads, key=lambda queue: (queue[0].timestamp, queue[0].partition)).popleft()
