"""The newest value of each key of a compacted topic."""

from __future__ import annotations

from headgate.bootstrap import Bootstrap
from headgate.kafka.connect import open_consumer
from headgate.kafka.publish import count_partitions

POLL_MS = 300
# One poll hands over so many: at kafka-python's 500, most of the time went into polling.
POLL_RECORDS = 20_000


def newest(bootstrap: Bootstrap, topic: str) -> dict[bytes, bytes]:
    """Return value by key, as far as it is committed now; keys in the order of their last change
    within their partition. A null takes a key out.

    Raises:
        BrokerUnreachableError, UnknownTopicError.
    """
    from kafka import TopicPartition

    places = [TopicPartition(topic, index) for index in range(count_partitions(bootstrap, topic))]
    consumer = open_consumer(
        bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_poll_records=POLL_RECORDS,
        # Without sums over the records of a broker that has its own.
        check_crcs=False,
    )
    found: dict[bytes, bytes] = {}
    try:
        begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        unread = [place for place in places if begins[place] < ends[place]]
        consumer.assign(unread)
        for place in unread:
            consumer.seek(place, begins[place])
        while any(consumer.position(place) < ends[place] for place in unread):
            for records in consumer.poll(POLL_MS).values():
                for record in records:
                    found.pop(record.key, None)
                    if record.value is not None:
                        found[record.key] = record.value
    finally:
        consumer.close()
    return found
