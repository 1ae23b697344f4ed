"""A Redis stream into the inbox, on a real broker and a real Redis: once each, whoever died."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from headgate.config import Config
from headgate.kafka.errors import PublishError
from headgate.kafka.publish import Delivery, Publisher
from headgate.kafka.resumed import Resumed
from headgate.local.redis import Redis
from headgate.redis import intake, pending
from headgate.redis.entries import published
from headgate.redis.errors import FeedError
from headgate.redis.intake import Intake
from headgate.v1.turn_pb2 import InboxRecord, ReplayedRecord
from tests.flink.kafka.conftest import Topics
from tests.redis_server import await_true

pytestmark = [pytest.mark.flink]


@pytest.fixture
def config(topics: Topics, server: Redis, request: pytest.FixtureRequest) -> Config:
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    prefix = topics().kafka.prefix
    return topics(
        f'[redis]\nurl = "{server.url}"\nprefix = "{name}"\n'
        f'[[redis.streams]]\nname = "{name}"\ntopic = "{prefix}.events"\n'
    )


@pytest.fixture
def client(server: Redis) -> Iterator[Any]:
    with redis.Redis.from_url(server.url) as opened:
        yield opened


@contextmanager
def reading(config: Config, consumer: str = "one") -> Iterator[Intake]:
    made = Intake(config.kafka.bootstrap, config, config.redis.streams[0], consumer)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join()


def inbox(config: Config) -> list[ReplayedRecord]:
    """All that stands in the inbox."""
    found = []
    with Resumed(config.kafka.bootstrap, config.topic_names.inbox, most_records=1_000) as topic:
        for partition in range(topic.partitions):
            topic.seek(partition, topic.begin(partition))
        while any(topic.position(n) < topic.last(n) for n in range(topic.partitions)):
            for records in topic.poll().values():
                found += [InboxRecord.FromString(record.value).replayed for record in records]
    return found


def is_through(client: Any, config: Config) -> bool:
    groups = client.xinfo_groups(config.redis.streams[0].name)
    return any(not group["pending"] and group["lag"] == 0 for group in groups)


def handed_out(client: Any, config: Config, consumer: str, count: int) -> list[Any]:
    """Hand entries to a consumer that then does nothing more."""
    name = config.redis.streams[0].name
    client.xgroup_create(name, "headgate", id="0", mkstream=True)
    [[_, entries]] = client.xreadgroup("headgate", consumer, {name: ">"}, count=count)
    return list(entries)


def publish_and_die(client: Any, config: Config, *, handed: int, published_ones: int) -> None:
    """Publish the first of those that were handed out, and acknowledge none."""
    with Publisher(config.kafka.bootstrap) as publisher:
        for entry_id, fields in handed_out(client, config, "one", handed)[:published_ones]:
            made = published(config.redis.streams[0], entry_id.decode(), fields)
            publisher.send(config.topic_names.inbox, made.key.decode(), made.value).wait()


def test_entries_become_records_of_their_topic(config: Config, client: Any) -> None:
    name = config.redis.streams[0].name
    client.xadd(name, {"key": "17", "value": '{"n": 1}', "ce_type": "said"}, id="5-1")
    client.xadd(name, {"customer": "ann", "amount": "12"}, id="6-1")
    with reading(config):
        await_true(lambda: is_through(client, config))
    one, two = sorted(inbox(config), key=lambda each: each.letter_id)
    assert (one.letter_id, one.topic) == (f"redis:{name}/5-1", f"{config.kafka.prefix}.events")
    assert (one.key, one.value, dict(one.headers)) == (b"17", b'{"n": 1}', {"ce_type": b"said"})
    assert one.timestamp_ms == 5
    assert (two.key, two.value) == (b"", b'{"customer": "ann", "amount": "12"}')


@pytest.mark.chaos
def test_what_was_published_and_not_acknowledged_is_not_published_again(
    config: Config, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each record is fetched by itself: looking must not end with the first.
    monkeypatch.setattr(pending, "MOST_RECORDS", 1)
    name = config.redis.streams[0].name
    for number in range(1, 11):
        client.xadd(name, {"key": "a", "value": f"{number}"}, id=f"{number}-1")
    # Whoever read these published five of them, and died.
    publish_and_die(client, config, handed=10, published_ones=5)
    with reading(config):
        await_true(lambda: is_through(client, config))
    assert [each.value for each in inbox(config)] == [b"%d" % n for n in range(1, 11)]


@pytest.mark.chaos
@pytest.mark.parametrize("ahead_ms", [2_000, 10**12, 2**63])
def test_so_it_is_where_ids_are_ahead_of_the_clock(
    config: Config, client: Any, ahead_ms: int
) -> None:
    name = config.redis.streams[0].name
    first = time.time_ns() // 1_000_000 + ahead_ms
    for number in range(4):
        client.xadd(name, {"key": "a", "value": f"{number}"}, id=f"{first + number}-1")
    publish_and_die(client, config, handed=4, published_ones=2)
    with reading(config):
        await_true(lambda: is_through(client, config))
    assert [each.value for each in inbox(config)] == [b"%d" % n for n in range(4)]


class Refusing(Publisher):
    """A producer whose broker refuses every third record, at first: a real one does that in its
    death only, at a moment that no test can choose.
    """

    sent = 0

    def send(self, *given: Any, **more: Any) -> Delivery:
        Refusing.sent += 1
        made = super().send(*given, **more)
        if Refusing.sent % 3 == 0 and Refusing.sent < 10:
            made.wait = _refuse  # type: ignore[method-assign]
        return made


def _refuse() -> Any:
    message = "the broker has refused it"
    raise PublishError(message)


@pytest.mark.chaos
def test_what_kafka_has_refused_is_not_acknowledged(
    config: Config, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = config.redis.streams[0].name
    monkeypatch.setattr(intake, "Publisher", Refusing)
    monkeypatch.setattr(intake, "RETRY_SECONDS", 0.01)
    for number in range(1, 6):
        client.xadd(name, {"key": "a", "value": f"{number}"}, id=f"{number}-1")
    entries = handed_out(client, config, "one", 5)
    made = Intake(config.kafka.bootstrap, config, config.redis.streams[0], "one")
    with Refusing(config.kafka.bootstrap) as publisher, pytest.raises(PublishError):
        made._publish(client, publisher, [(each.decode(), fields) for each, fields in entries])
    assert client.xpending(name, "headgate")["pending"] == 5
    with reading(config):
        await_true(lambda: is_through(client, config))
    values = [each.value for each in inbox(config)]
    assert sorted(set(values)) == [b"%d" % n for n in range(1, 6)]


@pytest.mark.chaos
def test_a_group_that_somebody_removes_goes_on_where_it_was(config: Config, client: Any) -> None:
    name = config.redis.streams[0].name
    for number in range(1, 4):
        client.xadd(name, {"key": "a", "value": f"{number}"}, id=f"{number}-1")
    with reading(config):
        await_true(lambda: is_through(client, config))
        client.xgroup_destroy(name, "headgate")
        client.xadd(name, {"key": "a", "value": "4"}, id="4-1")
        await_true(lambda: bool(client.xinfo_groups(name)) and is_through(client, config))
    assert [each.value for each in inbox(config)] == [b"%d" % n for n in range(1, 5)]


@pytest.mark.chaos
def test_what_a_dead_consumer_left_is_taken_up(
    config: Config, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "IDLE_MS", 50)
    name = config.redis.streams[0].name
    for number in range(1, 6):
        client.xadd(name, {"key": "a", "value": f"{number}"}, id=f"{number}-1")
    assert len(handed_out(client, config, "the dead one", 3)) == 3
    with reading(config, "another"):
        await_true(lambda: is_through(client, config))
    assert sorted(each.value for each in inbox(config)) == [b"%d" % n for n in range(1, 6)]


def test_what_no_record_holds_is_set_aside_and_holds_nobody_up(config: Config, client: Any) -> None:
    name = config.redis.streams[0].name
    client.xadd(name, {"key": "a", "value": b"x" * 3_000_000}, id="1-1")
    client.xadd(name, {"key": "a", "value": "small"}, id="2-1")
    with reading(config):
        await_true(lambda: is_through(client, config))
    assert [each.value for each in inbox(config)] == [b"small"]
    [(_, fields)] = client.xrange(f"{{{config.redis.prefix}}}:refused")
    assert (fields[b"stream"], fields[b"entry"]) == (name.encode(), b"1-1")
    assert len(fields[b"field:value"]) == 3_000_000
    assert b"at most" in fields[b"reason"]


def test_what_was_trimmed_while_pending_holds_nobody_up(config: Config, client: Any) -> None:
    name = config.redis.streams[0].name
    for number in range(1, 4):
        client.xadd(name, {"key": "a", "value": f"{number}"}, id=f"{number}-1")
    handed_out(client, config, "one", 2)
    client.xdel(name, "1-1")
    with reading(config):
        await_true(lambda: is_through(client, config))
    assert [each.value for each in inbox(config)] == [b"2", b"3"]


def test_a_key_that_is_no_stream_is_said(config: Config, client: Any) -> None:
    client.set(config.redis.streams[0].name, "text")
    made = Intake(config.kafka.bootstrap, config, config.redis.streams[0], "one")
    with pytest.raises(FeedError, match="holds no stream"):
        made.run()
