"""Where the export stands in the history: the committed offsets of a consumer group.

Kafka keeps them, with a line of text each, in which the mark's place in the journal is. Nothing
else is needed beside the collector, and the group's lag is a number that every tool shows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from headgate.bootstrap import Bootstrap
from headgate.kafka.connect import open_consumer
from headgate.kafka.resumed import Resumed
from headgate.tracing.mark import Mark

log = logging.getLogger(__name__)


class Positions:
    """Committed marks of a topic's partitions. One process per group: nobody shares them out."""

    def __init__(self, bootstrap: Bootstrap, topic: str, group: str) -> None:
        """Connect; raises BrokerUnreachableError."""
        self._topic = topic
        self._consumer = open_consumer(bootstrap, group_id=group)

    def read(
        self, topic: Resumed, known: Mapping[int, Mark], *, is_from_start: bool
    ) -> dict[int, Mark]:
        """Return the mark of each partition, and keep those that are new.

        known: marks of this process, which may be further than what an outage let it commit.
        is_from_start: where nothing is kept, begin with the oldest turn instead of the next.
        """
        marks = {
            number: _mended(topic, number, known[number])
            if number in known
            else self._kept(topic, number)
            for number in range(topic.partitions)
        }
        found = {
            number: mark or Mark(topic.begin(number) if is_from_start else topic.last(number))
            for number, mark in marks.items()
        }
        # Before anything is read: whoever starts again must not start at a later end.
        self.write({n: found[n] for n, mark in marks.items() if mark is None}, topic.topic_id)
        return found

    def _kept(self, topic: Resumed, number: int) -> Mark | None:
        from kafka import TopicPartition

        committed = self._consumer.committed(TopicPartition(self._topic, number), metadata=True)
        if committed is None:
            return None
        mark = Mark.of(committed.offset, committed.metadata, topic.topic_id)
        if mark is None:
            log.warning("%s/%d is another topic than before: from its start", self._topic, number)
            return Mark(topic.begin(number))
        return _mended(topic, number, mark)

    def write(self, marks: Mapping[int, Mark], topic_id: str) -> None:
        """Keep marks; returns once Kafka has them."""
        from kafka import TopicPartition
        from kafka.structs import OffsetAndMetadata

        if marks:
            self._consumer.commit(
                {
                    TopicPartition(self._topic, number): OffsetAndMetadata(
                        mark.next_offset, mark.to_text(topic_id), -1
                    )
                    for number, mark in marks.items()
                }
            )

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def _mended(topic: Resumed, number: int, mark: Mark) -> Mark:
    """Return a mark at which reading can go on."""
    fault = topic.fault_of(number, mark.next_offset, "the export")
    if fault is None:
        return mark
    # Spans are for looking, not for counting: it goes on with what there is.
    log.warning("%s Turns there have no spans", fault)
    return mark.going_on(topic.begin(number))
