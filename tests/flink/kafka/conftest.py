"""A broker for these tests, and topics that belong to one test alone."""

from collections.abc import Callable, Iterator

import pytest

from headgate.config import Config, loads
from headgate.kafka.topics import ensure_topics
from headgate.local.jars import fetch
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.local.redis import Redis
from tests.redis_server import redis_server

Topics = Callable[..., Config]


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker."""
    with Family() as family:
        broker = Kafka(family, tmp_path_factory.mktemp("kafka"), fetch() / "kafka")
        broker.start()
        yield broker
        broker.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis server."""
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def topics(kafka: Kafka, request: pytest.FixtureRequest) -> Topics:
    """Makes a configuration whose topics belong to this test alone."""
    prefix = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]

    def make(rest: str = "", *, kafka_keys: str = "") -> Config:
        text = f'[kafka]\nbootstrap = "{kafka.bootstrap}"\nprefix = "{prefix}"\n{kafka_keys}\n'
        config = loads(f'{text}[[topics]]\nname = "{prefix}.events"\n{rest}')
        ensure_topics(config)
        return config

    return make
