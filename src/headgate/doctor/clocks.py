"""The clocks of broker and workers, read off the journal's ticks: nothing is written for it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from headgate.config import Config
from headgate.doctor.facts import Clock
from headgate.kafka.connect import open_consumer
from headgate.v1.turn_pb2 import JournalRecord

# Each partition has a tick a second: three are seen, and the one that was delayed least counts.
LISTEN_SECONDS = 3.2
POLL_MS = 200


def read_clocks(config: Config) -> Iterator[Clock]:
    """Yield how far broker and workers are ahead of this machine; nothing where no tick comes.

    Raises BrokerUnreachableError.
    """
    from kafka import TopicPartition

    places = [
        TopicPartition(config.topic_names.journal, number)
        for number in range(config.kafka.partitions)
    ]
    broker: list[float] = []
    workers: list[float] = []
    consumer = open_consumer(config.kafka.bootstrap)
    try:
        consumer.assign(places)
        consumer.seek_to_end(*places)
        for place in places:
            # The end is asked for now, not when the first poll comes to it.
            consumer.position(place)
        until = time.monotonic() + LISTEN_SECONDS
        while time.monotonic() < until:
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                now = time.time()
                for record in records:
                    broker.append(record.timestamp / 1_000 - now)
                    written = JournalRecord.FromString(record.value or b"").tick.written_us
                    if written:
                        workers.append(written / 1e6 - now)
    finally:
        consumer.close()
    if broker:
        yield Clock("the Kafka broker", least_delayed(broker))
    if workers:
        yield Clock("Flink's Python worker", least_delayed(workers))


def least_delayed(ahead: list[float]) -> float:
    """Return the best estimate of how far a clock is ahead: whatever delayed a record on its way
    made it look behind.

    >>> least_delayed([-0.4, -0.02, -0.1])
    -0.02
    """
    return max(ahead)
