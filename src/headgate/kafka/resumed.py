"""A topic's committed records from places on that somebody else keeps, with what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from headgate.bootstrap import Bootstrap
from headgate.kafka.connect import admin_client, open_consumer
from headgate.kafka.publish import count_partitions

POLL_MS = 100


class Resumed:
    """All partitions of a topic, each read from its own place on. Not for several threads."""

    def __init__(self, bootstrap: Bootstrap, topic: str, *, most_records: int) -> None:
        """Connect. most_records: of one `poll`.

        Raises:
            BrokerUnreachableError, UnknownTopicError.
        """
        from kafka import TopicPartition

        self._topic = topic
        count, self.topic_id = _described(bootstrap, topic)
        self._places = [TopicPartition(topic, number) for number in range(count)]
        self._consumer = open_consumer(
            bootstrap,
            isolation_level="read_committed",
            # Where the topic has lost what comes next, it says so instead of going on elsewhere.
            auto_offset_reset="none",
            max_poll_records=most_records,
        )
        self._begins: Mapping[Any, int] = self._consumer.beginning_offsets(self._places)
        self._ends: Mapping[Any, int] = self._consumer.end_offsets(self._places)
        self._consumer.assign(self._places)

    @property
    def partitions(self) -> int:
        """How many there are."""
        return len(self._places)

    def begin(self, partition: int) -> int:
        """Return the first offset that was there when this connected."""
        return self._begins[self._places[partition]]

    def last(self, partition: int) -> int:
        """Return where a partition ended when this connected."""
        return self._ends[self._places[partition]]

    def fault_of(self, partition: int, next_offset: int, reader: str) -> str | None:
        """Return why a reader cannot go on at a place that it has kept, None if it can."""
        where, place = f"{self._topic}/{partition}", self._places[partition]
        if next_offset < self._begins[place]:
            return (
                f"{where}: {reader} has read up to offset {next_offset}, the topic begins at "
                f"{self._begins[place]}: what was between is lost to it."
            )
        if next_offset > self._ends[place]:
            return (
                f"{where}: {reader} has read up to offset {next_offset}, the topic ends at "
                f"{self._ends[place]}: it is another one."
            )
        return None

    def seek(self, partition: int, offset: int) -> None:
        """Go on elsewhere with a partition."""
        self._consumer.seek(self._places[partition], offset)

    def starts_at(self, time_ms: int) -> dict[int, int]:
        """Return the first offset at or after a time, for each partition; its end where there is
        none.
        """
        found = self._consumer.offsets_for_times(dict.fromkeys(self._places, time_ms))
        starts = {}
        for place in self._places:
            stands = found.get(place)
            starts[place.partition] = self._ends[place] if stands is None else stands.offset
        return starts

    def only(self, partition: int, offset: int) -> None:
        """Read one partition alone, from an offset on."""
        self._consumer.assign([self._places[partition]])
        self.seek(partition, offset)

    def poll(self) -> dict[int, list[Any]]:
        """Return what has come within a moment: kafka-python's records by partition."""
        polled = self._consumer.poll(POLL_MS)
        return {place.partition: records for place, records in polled.items()}

    def position(self, partition: int) -> int:
        """Return the offset that comes next: behind marks of transactions, too."""
        return int(self._consumer.position(self._places[partition]))

    def end(self, partition: int) -> int | None:
        """Return where a partition ended when it was last looked at."""
        mark = self._consumer.highwater(self._places[partition])
        return None if mark is None else int(mark)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _described(bootstrap: Bootstrap, topic: str) -> tuple[int, str]:
    """Return a topic's number of partitions and its id: another one if it was made anew."""
    with admin_client(bootstrap) as admin:
        for found in admin.describe_topics([topic]):
            if found["error_code"] == 0:
                return len(found["partitions"]), str(found.get("topic_id", ""))
    # Which names those that there are.
    return count_partitions(bootstrap, topic), ""
