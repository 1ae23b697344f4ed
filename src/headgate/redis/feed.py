"""Feeding the history into Redis, for ever: through outages of Kafka and of Redis.

Where it stands is kept in Redis, written by the script that writes the entries: whoever dies, and
whatever Redis loses with its last second, the next one goes on exactly there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

from headgate.bootstrap import Bootstrap
from headgate.config.redis import RedisConfig
from headgate.kafka.errors import BrokerUnreachableError
from headgate.kafka.resumed import Resumed
from headgate.redis.batch import Batch, Record, batches
from headgate.redis.connect import open_redis, reaching
from headgate.redis.errors import RedisUnreachableError
from headgate.redis.target import Target
from headgate.sealing.errors import SealError

log = logging.getLogger(__name__)

POLL_RECORDS = 4_000
WRITERS = 2
"""One partition's script runs while the next one's arguments are packed."""

RETRY_SECONDS = 1.0
"""A broker or a Redis that is started again refuses connections for seconds."""


class Feeder:
    """Writes what the topic has into Redis, in the thread that calls `run`."""

    def __init__(self, bootstrap: Bootstrap, topic: str, config: RedisConfig) -> None:
        """Describe it; `run` connects."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._config = config
        self._stopping = Event()
        self._is_waiting = False

    def run(self, on_working: Callable[[], None] = lambda: None) -> None:
        """Feed until `stop`. `on_working` is called each time that it begins to.

        Raises:
            FeedError: it cannot go on.
        """
        from kafka.errors import KafkaError

        while not self._stopping.is_set():
            try:
                self._feed(on_working)
            except (
                BrokerUnreachableError,
                RedisUnreachableError,
                SealError,
                KafkaError,
                OSError,
            ) as error:
                if not self._is_waiting:
                    log.warning("the feed waits: %s", error)
                self._is_waiting = True
                self._stopping.wait(RETRY_SECONDS)

    def stop(self) -> None:
        """Let `run` return; what is not written will be read again."""
        self._stopping.set()

    def _feed(self, on_working: Callable[[], None]) -> None:
        with (
            Resumed(self._bootstrap, self._topic, most_records=POLL_RECORDS) as topic,
            ThreadPoolExecutor(WRITERS, "headgate-redis") as writers,
        ):
            client = open_redis(self._config.url, cluster=self._config.cluster)
            target = Target(client, self._config, self._topic, topic.partitions, topic.topic_id)
            with reaching(self._config.url):
                target.claim()
                lanes = [_Lane(topic, target, number) for number in range(topic.partitions)]
            on_working()
            self._is_waiting = False
            while not self._stopping.is_set():
                for partition, records in topic.poll().items():
                    with reaching(self._config.url):
                        lanes[partition].take(records, writers)
                for lane in lanes:
                    if lane.is_done():
                        with reaching(self._config.url):
                            lane.settle()


class _Lane:
    """One partition on its way into Redis: what is being written, and where Redis stands."""

    def __init__(self, topic: Resumed, target: Target, partition: int) -> None:
        self._topic = topic
        self._target = target
        self._partition = partition
        self._writing: Future[bool] | None = None
        self._next = target.place_in(topic, partition)
        topic.seek(partition, self._next)

    def is_done(self) -> bool:
        """Tell whether there is a result to settle."""
        return self._writing is not None and self._writing.done()

    def take(self, records: Sequence[Any], writers: ThreadPoolExecutor) -> None:
        """Write records once what went before is written."""
        if self.settle():
            made = batches(
                self._target.keys[self._partition],
                [Record(record.offset, record.value or b"") for record in records],
            )
            self._writing = writers.submit(self._write, made)

    def settle(self) -> bool:
        """Wait for what is being written; False where Redis stands elsewhere, and reading was moved
        there. Raises what redis-py raises.
        """
        if self._writing is None:
            return True
        writing, self._writing = self._writing, None
        if writing.result():
            return True
        if not self._next:
            # Somebody has emptied it.
            self._target.claim()
        self._topic.seek(self._partition, self._next)
        return False

    def _write(self, made: Sequence[Batch]) -> bool:
        for batch in made:
            for fault in batch.skipped:
                log.warning("left out: partition %d, %s", self._partition, fault)
            expected, self._next = self._next, self._target.write(batch, self._next)
            if self._next != batch.next_offset:
                log.warning(
                    "partition %d: Redis is at offset %d, not at %d; going on there",
                    self._partition,
                    self._next,
                    expected,
                )
                return False
        return True
