"""The feeder on a real broker and a real Redis: what it does when the topic is not what it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from kafka import TopicPartition

from headgate.config import Config
from headgate.core.identity import partition_of
from headgate.kafka.connect import admin_client
from headgate.kafka.publish import Publisher
from headgate.kafka.resumed import Resumed
from headgate.kafka.topics import ensure_topics
from headgate.local.redis import Redis
from headgate.redis.connect import open_redis
from headgate.redis.errors import FeedError
from headgate.redis.feed import Feeder
from headgate.redis.keys import PartitionKeys
from headgate.redis.standing import standing
from headgate.redis.target import Target
from headgate.v1.turn_pb2 import HistoryRecord
from tests.flink.kafka.conftest import Topics
from tests.redis_server import await_true

pytestmark = [pytest.mark.flink]

ADDRESS = "order/17"
START_US = 1_700_000_000_000_000


@pytest.fixture
def config(topics: Topics, server: Redis, request: pytest.FixtureRequest) -> Config:
    return topics(f'[redis]\nurl = "{server.url}"\nprefix = "{request.node.name}"\n')


def tell(config: Config, first: int, last: int) -> None:
    """Write turns into the history."""
    with Publisher(config.kafka.bootstrap) as publisher:
        for number in range(first, last + 1):
            record = HistoryRecord(at_us=START_US + number)
            outcome = record.outcome
            outcome.agent_type, outcome.key, outcome.turn = "order", "17", number
            outcome.completed.SetInParent()
            outcome.mutations.add(name="n", set=b"%d" % number)
            publisher.send(config.topic_names.history, ADDRESS, record.SerializeToString())
        publisher.flush()


@contextmanager
def feeding(config: Config) -> Iterator[Feeder]:
    feeder = Feeder(config.kafka.bootstrap, config.topic_names.history, config.redis)
    thread = threading.Thread(target=feeder.run)
    thread.start()
    try:
        yield feeder
    finally:
        feeder.stop()
        thread.join()


def turns(config: Config) -> list[int]:
    """The turns of the stream, in its order."""
    keys = PartitionKeys(config.redis.prefix, partition_of(ADDRESS.encode(), 4))
    with redis.Redis.from_url(config.redis.url) as client:
        return [int(fields[b"turn"]) for _, fields in client.xrange(keys.changes)]


@pytest.mark.chaos
def test_it_goes_on_where_redis_stands_and_fills_one_that_was_emptied(
    config: Config, server: Redis
) -> None:
    tell(config, 1, 20)
    with feeding(config):
        await_true(lambda: turns(config) == [*range(1, 21)])
    tell(config, 21, 30)
    with feeding(config):
        await_true(lambda: turns(config) == [*range(1, 31)])
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        tell(config, 31, 35)
        await_true(lambda: turns(config) == [*range(1, 36)])
    seen = standing(config.kafka.bootstrap, config.topic_names.history, config.redis)
    assert (seen["instances"], seen["behind"]) == (1, 0)


@pytest.mark.chaos
def test_a_topic_that_was_made_anew_is_not_mixed_in(config: Config) -> None:
    tell(config, 1, 20)
    with feeding(config):
        await_true(lambda: turns(config) == [*range(1, 21)])
    name = config.topic_names.history
    with admin_client(config.kafka.bootstrap) as admin:
        admin.delete_topics([name])
        await_true(lambda: all(each["error_code"] for each in admin.describe_topics([name])))
    ensure_topics(config)
    tell(config, 1, 30)
    feeder = Feeder(config.kafka.bootstrap, name, config.redis)
    with pytest.raises(FeedError, match="was removed and made anew"):
        feeder.run()
    assert turns(config) == [*range(1, 21)]


@pytest.mark.chaos
def test_what_the_topic_has_lost_is_said_and_an_empty_redis_takes_the_rest(
    config: Config, server: Redis
) -> None:
    name, partition = config.topic_names.history, partition_of(ADDRESS.encode(), 4)
    tell(config, 1, 20)
    with feeding(config):
        await_true(lambda: turns(config) == [*range(1, 21)])
    tell(config, 21, 40)
    with admin_client(config.kafka.bootstrap) as admin:
        admin.delete_records({TopicPartition(name, partition): 30})
    with Resumed(config.kafka.bootstrap, name, most_records=1) as topic:
        target = Target(open_redis(server.url), config.redis, name, topic.partitions)
        said = rf"{name}/{partition}: Redis has read up to offset 20, the topic begins at 30"
        with pytest.raises(FeedError, match=said):
            target.place_in(topic, partition)
        with pytest.raises(FeedError, match=said):
            Feeder(config.kafka.bootstrap, name, config.redis).run()
        target.erase()
        assert target.place_in(topic, partition) == 30
    with feeding(config):
        await_true(lambda: turns(config) == [*range(31, 41)])


def test_what_is_behind_is_counted(config: Config) -> None:
    tell(config, 1, 3)
    seen = standing(config.kafka.bootstrap, config.topic_names.history, config.redis)
    assert (seen["instances"], seen["behind"], seen["closed"]) == (0, 3, "")
