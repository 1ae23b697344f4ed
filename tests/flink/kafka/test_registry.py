"""The registry of agents, written, read and followed through outages."""

import logging
import time
from collections.abc import Callable

import pytest

from headgate.config import Config
from headgate.kafka.connect import open_producer
from headgate.kafka.registry import (
    RegistryTable,
    publish_agents,
    publish_job,
    read_contents,
    read_registry,
    write_specs,
)
from headgate.local.kafka import Kafka
from headgate.v1.turn_pb2 import AgentSpec, Route

pytestmark = [pytest.mark.flink, pytest.mark.slow]

AWAIT_SECONDS = 30.0
AGENT = '[agents.order]\nendpoint = "localhost:7070"\n'
Topics = Callable[..., Config]


def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + AWAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def test_agents_are_written_where_they_changed(topics: Topics) -> None:
    config = topics(AGENT)
    bootstrap, registry = config.kafka.bootstrap, config.topic_names.registry
    assert publish_agents(config) == {"order": True}
    assert publish_agents(config) == {"order": False}
    assert publish_agents(topics(AGENT + "policy = {max_batch = 3}\n")) == {"order": True}
    assert read_registry(bootstrap, registry)["order"].policy.max_batch == 3


def test_what_was_set_at_run_time_survives_headgate_toml(topics: Topics) -> None:
    config = topics(AGENT)
    bootstrap, registry = config.kafka.bootstrap, config.topic_names.registry
    other = AgentSpec(type="other", schema_version=1)
    order = AgentSpec(type="order", paused=True, draining=True, revision="v2", schema_version=1)
    write_specs(bootstrap, registry, {"other": other, "order": order})
    publish_agents(config)
    found = read_registry(bootstrap, registry)
    assert found["other"] == other
    assert (found["order"].paused, found["order"].revision) == (True, "v2")
    assert found["order"].draining, "what drains does not get new events by a restart"
    assert found["order"].endpoints == ["localhost:7070"]


def test_routes_are_those_of_headgate_toml(topics: Topics) -> None:
    config = topics()
    events = config.topics[0].name
    config = topics(f'{AGENT}[[routes]]\ntopic = "{events}"\nagent = "order"\ntype = "shop.*"\n')
    publish_agents(config)
    found = read_registry(config.kafka.bootstrap, config.topic_names.registry)
    assert list(found["order"].routes) == [Route(topic=events, type="shop.*")]


def test_a_job_tells_what_it_reads_and_is_no_agent(topics: Topics) -> None:
    config = topics(AGENT)
    bootstrap, registry = config.kafka.bootstrap, config.topic_names.registry
    publish_agents(config)
    assert read_contents(bootstrap, registry).job is None
    with RegistryTable(bootstrap, registry) as table:
        publish_job(config)
        write_specs(bootstrap, registry, {"new": AgentSpec(type="new")})
        until(lambda: table.get("new"))
        assert set(table.specs()) == {"order", "new"}
        assert table.bad_records == 0
        assert table.shown.position == 3
    contents = read_contents(bootstrap, registry)
    assert contents.job is not None
    assert list(contents.job.topics) == [config.topics[0].name]
    assert set(contents.specs) == {"order", "new"}


def test_every_change_shows_another_table(topics: Topics) -> None:
    config = topics(AGENT)
    bootstrap, registry = config.kafka.bootstrap, config.topic_names.registry
    publish_agents(config)
    with RegistryTable(bootstrap, registry) as table:
        assert table.await_complete(AWAIT_SECONDS)
        before = table.shown
        paused = AgentSpec(type="order", paused=True)
        write_specs(bootstrap, registry, {"order": paused})
        until(lambda: table.shown is not before)
        assert (before.specs["order"].paused, before.paused) == (False, frozenset())
        assert table.shown.specs["order"] == paused
        assert table.shown.paused == frozenset({"order"})
        assert (before.position, table.shown.position) == (1, 2)


def test_the_table_follows_and_skips_what_it_cannot_read(topics: Topics) -> None:
    config = topics(AGENT)
    bootstrap, registry = config.kafka.bootstrap, config.topic_names.registry
    publish_agents(config)
    producer = open_producer(bootstrap, delivery_seconds=10)
    producer.send(registry, b"\xff\xff", key=b"order", partition=0)
    producer.close()
    with RegistryTable(bootstrap, registry) as table:
        assert table.await_complete(AWAIT_SECONDS)
        assert table.get("order") == read_registry(bootstrap, registry)["order"]
        assert table.bad_records == 1
        write_specs(bootstrap, registry, {"new": AgentSpec(type="new"), "order": None})
        until(lambda: table.get("new") and not table.get("order"))


def test_an_empty_registry_is_complete_and_an_absent_one_is_not(
    kafka: Kafka, topics: Topics, request: pytest.FixtureRequest
) -> None:
    prefix = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
    with RegistryTable(kafka.bootstrap, f"{prefix}.registry") as table:
        until(lambda: table.trouble)
        assert not table.is_complete
        topics()
        assert table.await_complete(AWAIT_SECONDS)
        until(lambda: not table.trouble)
        assert table.specs() == {}


def test_the_table_outlives_its_broker(
    kafka: Kafka, topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    config = topics(AGENT)
    bootstrap, registry = config.kafka.bootstrap, config.topic_names.registry
    publish_agents(config)
    caplog.set_level(logging.INFO, "headgate")
    with RegistryTable(bootstrap, registry) as table:
        assert table.await_complete(AWAIT_SECONDS)
        kafka.kill()
        try:
            until(lambda: table.trouble)
            began = time.process_time(), time.monotonic()
            until(lambda: time.monotonic() - began[1] > 3)
            assert time.process_time() - began[0] < 1.0, "it must not spin while it waits"
            assert table.get("order") is not None
            assert table.is_complete
        finally:
            kafka.start()
        write_specs(bootstrap, registry, {"new": AgentSpec(type="new")})
        until(lambda: table.get("new"))
        until(lambda: not table.trouble)
    said = [record.message for record in caplog.records if record.name == "headgate.kafka.table"]
    assert len(said) == 2, said
    assert "waits" in said[0]
    assert "up to date again" in said[1]


def test_a_table_starts_before_its_broker(kafka: Kafka, topics: Topics) -> None:
    config = topics(AGENT)
    publish_agents(config)
    kafka.stop()
    try:
        table = RegistryTable(kafka.bootstrap, config.topic_names.registry)
        until(lambda: table.trouble)
        assert not table.is_complete
    finally:
        kafka.start()
    with table:
        assert table.await_complete(AWAIT_SECONDS)
        assert table.get("order") is not None
