"""The clocks of broker and workers, read off the journal's ticks: nothing is written for it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from headgate.config import Config
from headgate.doctor.facts import Clock
from headgate.kafka.connect import open_consumer
from headgate.v1.turn_pb2 import JournalRecord

# Each partition has a tick a second, by the one worker that has it: three are seen.
LISTEN_SECONDS = 3.2
POLL_MS = 200
# A partition without a leader has no end to tell, and would be waited for without one.
ENDS_MS = 10_000


def read_clocks(config: Config, partitions: int) -> Iterator[Clock]:
    """Yield how far broker and workers are ahead of this machine; nothing where no tick comes.

    partitions: of the journal, as it is; what headgate.toml says may be wrong.

    Raises BrokerUnreachableError, and KafkaTimeoutError where a partition has no leader.
    """
    from kafka import TopicPartition

    places = [TopicPartition(config.topic_names.journal, number) for number in range(partitions)]
    broker: dict[int, float] = {}
    workers: dict[int, float] = {}
    consumer = open_consumer(config.kafka.bootstrap)
    try:
        consumer.assign(places)
        # The ends of now, asked for at once: what is old would look like a clock that is behind.
        for place, end in consumer.end_offsets(places, timeout_ms=ENDS_MS).items():
            consumer.seek(place, end)
        until = time.monotonic() + LISTEN_SECONDS
        while time.monotonic() < until:
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                now = time.time()
                for record in records:
                    note(broker, record.partition, record.timestamp / 1_000 - now)
                    written = JournalRecord.FromString(record.value or b"").tick.written_us
                    if written:
                        note(workers, record.partition, written / 1e6 - now)
    finally:
        consumer.close()
    for whose, found in (("broker that leads", broker), ("Python worker that writes", workers)):
        if found:
            worst = max(found, key=lambda partition: abs(found[partition]))
            yield Clock(f"the {whose} partition {worst} of the journal", found[worst])


def note(ahead_of: dict[int, float], partition: int, ahead_seconds: float) -> None:
    """Keep the best estimate of a partition's clock: what delays a record on its way makes the
    clock look behind, so the one that looks most ahead was delayed least.

    >>> ahead_of = {}
    >>> for each in (-0.4, -0.02, -0.1):
    ...     note(ahead_of, 0, each)
    >>> ahead_of
    {0: -0.02}
    """
    ahead_of[partition] = max(ahead_seconds, ahead_of.get(partition, ahead_seconds))
