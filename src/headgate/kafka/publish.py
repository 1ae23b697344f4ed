"""Publishing users' events: the partition is Headgate's own choice, the same for every producer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Self

from headgate.bootstrap import Bootstrap
from headgate.config.spelling import did_you_mean, listed
from headgate.core.identity import partition_of
from headgate.kafka.connect import admin_client, open_producer
from headgate.kafka.errors import PublishError, UnknownTopicError
from headgate.kafka.topics import LEAST_MESSAGE_BYTES, partition_counts
from headgate.sealing.known import seals_at

# A broker that restarts is back in ten seconds; an event should survive that.
DELIVERY_SECONDS = 30.0
# Topics that an error names: a shared cluster has thousands.
LISTED = 12


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a published record stands."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Delivery:
    """A record on its way."""

    def __init__(self, topic: str, future: Any, seconds: float) -> None:
        self._topic = topic
        self._future = future
        self._seconds = seconds

    @property
    def is_done(self) -> bool:
        """Whether it was written or has failed, so that `wait` returns at once."""
        return bool(self._future.is_done)

    def wait(self) -> Placed:
        """Return where it stands once all replicas have it; raises PublishError."""
        from kafka.errors import KafkaError

        try:
            # The producer itself gives up after so long; the rest is its bookkeeping.
            metadata = self._future.get(self._seconds * 1.5)
        except KafkaError as error:
            message = f"the record for {self._topic} was not written: {error}"
            raise PublishError(message) from error
        return Placed(self._topic, metadata.partition, metadata.offset, metadata.timestamp)


class Publisher:
    """An idempotent producer for events; `close` waits for what is on its way.

    >>> with Publisher("127.0.0.1:9092") as publisher:  # doctest: +SKIP
    ...     publisher.send("messages", "17", b'{"text": "hi"}').wait().offset
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        *,
        max_record: int = LEAST_MESSAGE_BYTES,
        linger_ms: int = 0,
        delivery_seconds: float = DELIVERY_SECONDS,
    ) -> None:
        """Connect.

        linger_ms: how long records gather; 5 or more for throughput.
        delivery_seconds: how long a record is tried before its delivery fails.
        """
        self._bootstrap = bootstrap
        self._seals = seals_at(bootstrap)
        self._delivery_seconds = delivery_seconds
        self._partitions: dict[str, int] = {}
        self._producer = open_producer(
            bootstrap,
            delivery_seconds=delivery_seconds,
            linger_ms=linger_ms,
            max_request_size=max(max_record, LEAST_MESSAGE_BYTES),
        )

    def send(
        self, topic: str, key: str, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> Delivery:
        """Start publishing; raises UnknownTopicError, PublishError for a record too large, and
        SealError where it must be sealed and cannot be.
        """
        from kafka.errors import KafkaError

        raw = key.encode()
        if topic not in self._partitions:
            self._partitions[topic] = count_partitions(self._bootstrap, topic)
        try:
            future = self._producer.send(
                topic,
                key=raw,
                value=self._seals.seal(topic, raw, value),
                headers=list((headers or {}).items()),
                partition=partition_of(raw, self._partitions[topic]),
            )
        except KafkaError as error:
            message = f"the record for {topic} was not written: {error}"
            raise PublishError(message) from error
        return Delivery(topic, future, self._delivery_seconds)

    def flush(self) -> None:
        """Wait until all is written or has failed."""
        self._producer.flush(self._delivery_seconds * 1.5)

    def close(self) -> None:
        """Write what waits and disconnect."""
        self._producer.close(timeout=self._delivery_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def count_partitions(bootstrap: Bootstrap, topic: str) -> int:
    """Return a topic's partition count; raises UnknownTopicError, which names those there are."""
    with admin_client(bootstrap) as admin:
        found = partition_counts(admin, [topic]).get(topic)
        if found:
            return found
        present = sorted(name for name in partition_counts(admin) if not name.startswith("__"))
    near = sorted(present, key=lambda name: -SequenceMatcher(None, topic, name).ratio())
    more = f" and {len(near) - LISTED} more" if len(near) > LISTED else ""
    message = (
        f"no topic {topic!r} at {bootstrap}{did_you_mean(topic, present)}; "
        f"{listed(near[:LISTED])}{more}"
    )
    raise UnknownTopicError(message)
