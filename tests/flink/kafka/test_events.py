"""Publishing and reading back: places, order, and what is committed."""

import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from headgate.config import Config
from headgate.core.decode import Record
from headgate.core.identity import partition_of
from headgate.kafka import tail
from headgate.kafka.connect import open_producer
from headgate.kafka.errors import UnknownTopicError
from headgate.kafka.publish import Publisher
from headgate.kafka.tail import AHEAD_AT_MOST, Start, Tail

pytestmark = [pytest.mark.flink, pytest.mark.slow]

Topics = Callable[..., Config]


def values(config: Config, topic: str, start: Start, *, is_committed: bool = False) -> list[bytes]:
    """What a reader finds there now."""
    with Tail(
        config.kafka.bootstrap, topic, value_of, start=start, is_read_committed=is_committed
    ) as tail:
        return list(tail.backlog())


def value_of(record: Record) -> bytes | None:
    """The value."""
    return record.value


def test_every_event_goes_to_the_partition_of_its_key(topics: Topics) -> None:
    config = topics()
    name = config.topics[0].name
    keys = [f"key-{number}" for number in range(50)]
    with Publisher(config.kafka.bootstrap) as publisher:
        sent = [publisher.send(name, key, key.encode(), {"h": b"1"}) for key in keys]
        placed = [delivery.wait() for delivery in sent]
    assert [p.partition for p in placed] == [partition_of(key.encode(), 4) for key in keys]
    with Tail(config.kafka.bootstrap, name, lambda record: record, start="start") as tail:
        read = {(r.partition, r.offset): r for r in tail.backlog()}
    for key, place in zip(keys, placed, strict=True):
        record = read[place.partition, place.offset]
        assert (record.key, record.headers) == (key.encode(), {"h": b"1"})


def test_a_misspelt_topic_is_told_with_its_neighbour(topics: Topics) -> None:
    config = topics()
    name = config.topics[0].name
    with (
        Publisher(config.kafka.bootstrap) as publisher,
        pytest.raises(UnknownTopicError, match=f"did you mean '{name}'"),
    ):
        publisher.send(name + "s", "k", b"")


def transactional(config: Config, name: str) -> Any:
    """A producer with transactions."""
    producer = open_producer(
        config.kafka.bootstrap, delivery_seconds=10, transactional_id=config.kafka.prefix + name
    )
    producer.init_transactions()
    return producer


def test_readers_of_the_committed_see_nothing_else(topics: Topics) -> None:
    config = topics()
    outbox = config.topic_names.outbox
    producer = transactional(config, "a")
    for number in range(12):
        producer.begin_transaction()
        producer.send(outbox, b"%d" % number, partition=number % 4)
        if number % 3:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.begin_transaction()
    producer.send(outbox, b"open", partition=0).get(10)
    committed = [b"1", b"2", b"4", b"5", b"7", b"8", b"10", b"11"]
    assert values(config, outbox, "start", is_committed=True) == committed
    # Markers and aborted records take offsets, but do not count as records.
    assert values(config, outbox, 5, is_committed=True) == committed[-5:]
    assert values(config, outbox, 500, is_committed=True) == committed
    assert values(config, outbox, "end", is_committed=True) == []
    assert b"open" in values(config, outbox, "start")
    with Tail(config.kafka.bootstrap, outbox, value_of, start=1, is_read_committed=True) as tail:
        assert list(tail.backlog()) == committed[-1:]
        producer.commit_transaction()
        assert next(tail.follow()) == b"open"
    producer.close()


def test_what_is_not_wanted_does_not_count_towards_the_last(topics: Topics) -> None:
    config = topics()
    name = config.topics[0].name
    with Publisher(config.kafka.bootstrap, linger_ms=5) as publisher:
        for number in range(300):
            publisher.send(name, str(number), b"%d" % number)
    wanted = {b"3", b"50", b"120"}

    def view(record: Record) -> bytes | None:
        return record.value if record.value in wanted else None

    with Tail(config.kafka.bootstrap, name, view, start=2) as tail:
        assert sorted(tail.backlog()) == [b"120", b"50"]


def test_partitions_of_different_age_are_read_in_order(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = topics()
    name = config.topics[0].name
    count = AHEAD_AT_MOST * 2 + 500  # the young partitions must rest until the old one is through
    # Not long ago: the broker's retention goes by these times, and may look at any moment.
    began_ms = time.time_ns() // 1_000_000 - 3_600_000
    producer = open_producer(config.kafka.bootstrap, delivery_seconds=30, linger_ms=5)
    for partition in (2, 0, 1):
        for number in range(count):
            at = began_ms + partition * count + number
            producer.send(name, b"x" * 300, partition=partition, timestamp_ms=at)
    producer.close()
    waiting: list[int] = []

    def pop(queues: dict[Any, deque[Any]]) -> Any:
        waiting.append(max(map(len, queues.values())))
        return pop_oldest(queues)

    pop_oldest = tail._pop_oldest
    monkeypatch.setattr(tail, "_pop_oldest", pop)
    with Tail(config.kafka.bootstrap, name, lambda r: r.timestamp_ms, start="start") as reader:
        read = list(reader.backlog())
    assert len(read) == 3 * count
    assert read == sorted(read)
    assert max(waiting) < AHEAD_AT_MOST + 1_000  # a poll brings 500 more at most


def test_a_follower_goes_on_where_the_backlog_ended(topics: Topics) -> None:
    config = topics()
    name = config.topics[0].name
    with Publisher(config.kafka.bootstrap) as publisher:
        publisher.send(name, "k", b"before").wait()
        with Tail(config.kafka.bootstrap, name, value_of, start="start") as tail:
            publisher.send(name, "k", b"between").wait()
            assert list(tail.backlog()) == [b"before"]
            publisher.send(name, "k", b"after").wait()
            assert list(islice(tail.follow(), 2)) == [b"between", b"after"]
