"""The topics are what the protocol asks for, or it is said what they are not."""

import time
from collections.abc import Callable

import pytest

from headgate.config import Config, loads
from headgate.kafka.connect import admin_client
from headgate.kafka.errors import BrokerUnreachableError, TopicMismatchError
from headgate.kafka.publish import Publisher
from headgate.kafka.topics import ensure_topics

pytestmark = [pytest.mark.flink, pytest.mark.slow]

AWAIT_SECONDS = 30.0
Topics = Callable[..., Config]


def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + AWAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def settings_of(config: Config, topic: str) -> dict[str, str]:
    """The broker's settings of a topic."""
    from kafka.admin import ConfigResource, ConfigResourceType

    with admin_client(config.kafka.bootstrap) as admin:
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {name: entry["value"] for name, entry in described["topic"][topic].items()}


def alter(config: Config, topic: str, name: str, value: str) -> None:
    """Change a setting of a topic."""
    from kafka.admin import ConfigResource, ConfigResourceType

    with admin_client(config.kafka.bootstrap) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])
    until(lambda: settings_of(config, topic)[name] == value)


def test_topics_are_made_once_as_the_protocol_asks(topics: Topics) -> None:
    config = topics(kafka_keys="partitions = 3")
    again = {state.name: state for state in ensure_topics(config)}
    assert not any(state.is_created for state in again.values())
    names = config.topic_names
    assert [again[name].partitions for name in names] == [3, 3, 1, 3, 3, 3, 1, 3, 1, 1, 1, 1]
    found = settings_of(config, names.journal)
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["cleanup.policy"] == "delete"
    assert found["max.message.bytes"] == "1065536"
    for compacted in (names.registry, names.settled, names.parked, names.spending):
        assert settings_of(config, compacted)["cleanup.policy"] == "compact"


def test_another_partition_count_is_refused_for_life(topics: Topics) -> None:
    topics(kafka_keys="partitions = 3")
    with pytest.raises(TopicMismatchError, match=r"has 3 partitions, but kafka.partitions is 5"):
        topics(kafka_keys="partitions = 5")


def test_a_journal_with_the_producers_time_is_refused(topics: Topics) -> None:
    config = topics()
    alter(config, config.topic_names.journal, "message.timestamp.type", "CreateTime")
    with pytest.raises(TopicMismatchError) as refused:
        ensure_topics(config)
    assert str(refused.value).count("\n") == 0  # of all topics only the one
    assert f"{config.topic_names.journal}: has message.timestamp.type=CreateTime" in str(
        refused.value
    )


def test_a_raised_size_limit_reaches_topics_that_are_there(topics: Topics) -> None:
    config = topics()
    raised = topics('[limits]\nmax_record = "3MB"\n')
    until(lambda: settings_of(config, config.topic_names.journal)["max.message.bytes"] == "3065536")
    value = b"x" * 3_000_000
    with Publisher(raised.kafka.bootstrap, max_record=4_000_000) as publisher:
        publisher.send(raised.topic_names.journal, "order/17", value).wait()


def test_an_absent_broker_is_named() -> None:
    with pytest.raises(BrokerUnreachableError, match=r"127\.0\.0\.1:1\b"):
        ensure_topics(loads('[kafka]\nbootstrap = "127.0.0.1:1"\n'))
