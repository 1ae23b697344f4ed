"""A history of made-up turns in its topic, and whether a Redis holds just that."""

import random
import time
from collections.abc import Iterator
from typing import Any

import redis

from headgate.config import Config
from headgate.core.identity import key_in, partition_of
from headgate.kafka.connect import open_producer
from headgate.redis.keys import PartitionKeys
from headgate.v1.turn_pb2 import HistoryRecord

INSTANCES, UPDATES = 10_000, 1_000_000
PARTITIONS = 4


class WrittenHistory:
    """Turns that set one value each, of random instances."""

    def __init__(self, config: Config) -> None:
        """Connect; write nothing yet."""
        self._topic = config.topic_names.history
        self._turns: dict[str, int] = {}
        self._ends: dict[int, int] = {}
        self._chance = random.Random(1)
        self._producer = open_producer(config.kafka.bootstrap, delivery_seconds=60, linger_ms=20)

    def write(self) -> None:
        """Write all of it."""
        for number in range(UPDATES):
            self.update()
            if number % 100_000 == 0:
                self._close()
        self._close()
        self.flush()

    def flush(self) -> None:
        """Wait until what was written has come."""
        self._producer.flush()

    def update(self) -> None:
        """Write one more turn."""
        address = f"order/customer-{self._chance.randrange(INSTANCES)}"
        self._turns[address] = turn = self._turns.get(address, 0) + 1
        record = HistoryRecord(at_us=time.time_ns() // 1_000)
        outcome = record.outcome
        outcome.agent_type, _, outcome.key = address.partition("/")
        outcome.turn = turn
        outcome.completed.SetInParent()
        outcome.mutations.add(name="status", set=b'"step %d"' % turn)
        self._send(partition_of(address.encode(), PARTITIONS), address.encode(), record)

    def _close(self) -> None:
        for number in range(PARTITIONS):
            record = HistoryRecord()
            record.closed.partition = number
            record.closed.until_us = time.time_ns() // 1_000
            self._send(number, key_in(number, PARTITIONS), record)

    def _send(self, partition: int, key: bytes, record: HistoryRecord) -> None:
        self._ends[partition] = self._ends.get(partition, 0) + 1
        self._producer.send(
            self._topic,
            key=key,
            value=record.SerializeToString(),
            partition=partition,
        )

    def is_level(self, url: str) -> bool:
        """Tell whether a Redis has all of it."""
        try:
            with redis.Redis.from_url(url) as client:
                return all(
                    int(client.hget(keys_of(number).position, "next_offset") or 0) >= end
                    for number, end in self._ends.items()
                )
        except redis.RedisError:
            return False

    def compare(self, url: str) -> None:
        """Raise AssertionError unless hashes and streams are those of the history."""
        with redis.Redis.from_url(url) as client:
            pipeline = client.pipeline(transaction=False)
            for address in self._turns:
                number = partition_of(address.encode(), PARTITIONS)
                pipeline.hmget(keys_of(number).state(address), "turn", "=status")
            for (address, turn), found in zip(self._turns.items(), pipeline.execute(), strict=True):
                if found != [b"%d" % turn, b'"step %d"' % turn]:
                    message = f"{address} is {found}, not at turn {turn}"
                    raise AssertionError(message)
            seen: dict[bytes, int] = {}
            for number in range(PARTITIONS):
                for fields in _entries(client, keys_of(number).changes):
                    name, turn = fields[b"address"], int(fields[b"turn"])
                    if turn != seen.get(name, 0) + 1:
                        message = f"{name!r}: turn {turn} after {seen.get(name, 0)}"
                        raise AssertionError(message)
                    seen[name] = turn
            if {name.decode(): turn for name, turn in seen.items()} != self._turns:
                message = "the streams are not the history"
                raise AssertionError(message)


def _entries(client: Any, stream: str) -> Iterator[dict[bytes, bytes]]:
    after = b"-"
    while found := client.xrange(stream, min=after, count=5_000):
        for _, fields in found:
            yield fields
        after = b"(" + found[-1][0]


def keys_of(number: int) -> PartitionKeys:
    """Return the keys of a partition."""
    return PartitionKeys("headgate", number)
