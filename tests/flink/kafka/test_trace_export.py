"""`headgate trace export` on a real broker and a real collector, which come and go, while it is
killed at the worst moments.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headgate.config import Config
from headgate.config.tracing import TracingConfig
from headgate.core.identity import digest
from headgate.core.trace import span_of
from headgate.kafka.publish import Publisher
from headgate.kafka.topics import ensure_topics
from headgate.local.beside import Beside
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.local.supervisor import Supervisor
from headgate.tracing.collector import OtlpCollector, resource_of
from headgate.tracing.export import SpanExport
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import Closed, HistoryRecord
from tests.flink.kafka.conftest import Topics
from tests.otlp_collector import Took, grpc_collector

pytestmark = [pytest.mark.flink, pytest.mark.chaos]

ADDRESS = "order/17"
START_US = 1_700_000_000_000_000


@pytest.fixture
def config(topics: Topics) -> Config:
    return topics()


def base_of(number: int) -> bytes:
    """The base that a turn of these tests builds on."""
    return digest("base", number)


def ids(first: int, last: int) -> set[str]:
    """The span ids of turns."""
    return {base_of(number)[:8].hex() for number in range(first, last + 1)}


def tell(config: Config, first: int, last: int) -> None:
    """Write turns into the history, two of each record of the journal, and a closed moment."""
    name = config.topic_names.history
    with Publisher(config.kafka.bootstrap) as publisher:
        for number in range(first, last + 1):
            record = HistoryRecord(at_us=START_US + number, journal_offset=number // 2)
            outcome = record.outcome
            outcome.agent_type, outcome.key, outcome.turn = "order", "17", number
            outcome.base = base_of(number)
            outcome.called_us = outcome.answered_us = START_US + number
            event = Event(fingerprint=digest("event", number))
            outcome.traceparent = span_of(event, outcome.base, is_taken=True)
            outcome.completed.SetInParent()
            publisher.send(name, ADDRESS, record.SerializeToString())
        closed = HistoryRecord(closed=Closed(partition=0, until_us=1)).SerializeToString()
        publisher.send(name, ADDRESS, closed)
        publisher.send(name, ADDRESS, b"\xff")
        publisher.flush()


@contextmanager
def exporting(config: Config, url: str, *, is_from_start: bool = True) -> Iterator[None]:
    """Export in this process."""
    settings = TracingConfig(endpoint=url)
    export = SpanExport(
        config.kafka.bootstrap,
        config.topic_names.history,
        f"{config.kafka.prefix}.trace-export",
        OtlpCollector(settings),
        resource_of(settings, "job"),
        is_from_start=is_from_start,
    )
    working = threading.Event()
    thread = threading.Thread(target=export.run, args=[working.set])
    thread.start()
    try:
        assert working.wait(60)
        yield
    finally:
        export.stop()
        thread.join()


def await_spans(took: Took, expected: set[str]) -> None:
    """Wait until all of these have come."""
    took.await_found(lambda: expected <= set(took.counts()), f"{len(expected)} spans")


def test_it_goes_on_where_it_was_and_repeats_nothing_that_is_written_again(config: Config) -> None:
    tell(config, 1, 20)
    with grpc_collector() as (took, url):
        with exporting(config, url):
            await_spans(took, ids(1, 20))
        # As a job does that is restored from an older checkpoint; 21 shares a record with 20.
        tell(config, 9, 40)
        with exporting(config, url):
            await_spans(took, ids(1, 40))
            tell(config, 31, 45)
            await_spans(took, ids(1, 45))
        assert took.counts() == dict.fromkeys(ids(1, 45), 1)


def test_the_first_time_it_begins_with_the_next_turn(config: Config) -> None:
    tell(config, 1, 5)
    with grpc_collector() as (took, url):
        with exporting(config, url, is_from_start=False):
            pass
        tell(config, 6, 9)
        with exporting(config, url, is_from_start=False):
            await_spans(took, ids(6, 9))
        assert took.counts() == dict.fromkeys(ids(6, 9), 1)


def test_a_collector_that_refuses_or_is_away_costs_no_span(config: Config) -> None:
    with grpc_collector() as (took, url):
        took.takes = lambda: False
        with exporting(config, url):
            tell(config, 1, 20)
            took.await_found(lambda: took.refused > 1, "exports that were refused")
            took.takes = lambda: True
            await_spans(took, ids(1, 20))
    port = int(url.rpartition(":")[2])
    with exporting(config, url):
        tell(config, 21, 30)
        with grpc_collector(port) as (again, _):
            await_spans(again, ids(21, 30))
            assert again.counts() == dict.fromkeys(ids(21, 30), 1)
    assert took.counts() == dict.fromkeys(ids(1, 20), 1)


def written(config: Config, url: str, folder: Path) -> Path:
    """Write a configuration, and return where."""
    kafka = f'[kafka]\nbootstrap = "{config.kafka.bootstrap}"\nprefix = "{config.kafka.prefix}"\n'
    path = folder / "headgate.toml"
    path.write_text(f'{kafka}[tracing]\nendpoint = "{url}"\n', encoding="utf-8")
    return path


def test_the_stack_starts_it_again(config: Config, tmp_path: Path) -> None:
    with grpc_collector() as (took, url), Family() as family:
        supervisor = Supervisor(family)
        beside = Beside(family, supervisor, tmp_path, print)
        tell(config, 1, 5)
        try:
            path = written(config, url, tmp_path)
            service = beside.start_trace_export(config.kafka.bootstrap, path)
            await_spans(took, ids(1, 5))
            assert beside.pids() == {"trace-export": service.pid}
            service.kill()
            tell(config, 6, 9)
            await_spans(took, ids(1, 9))
        finally:
            beside.stop_readers()
            supervisor.stop()


def test_killed_after_the_collector_took_spans_it_sends_that_batch_again_and_no_other(
    config: Config, tmp_path: Path
) -> None:
    with grpc_collector() as (took, url):
        path = written(config, url, tmp_path)
        command = [sys.executable, "-m", "headgate.cli.app", "trace", "export", "--from-start"]
        command += ["--config", str(path)]
        tell(config, 1, 20)
        running = subprocess.Popen(command)
        await_spans(took, ids(1, 20))
        # Committed, once the next batch begins; the collector kills before it answers.
        took.before_answer = running.kill
        tell(config, 21, 30)
        running.wait(60)
        first = set(took.counts()) - ids(1, 20)
        assert first
        took.before_answer = lambda: None
        with subprocess.Popen(command) as again:
            await_spans(took, ids(1, 30))
            took.await_found(lambda: sum(took.counts().values()) >= 30 + len(first), "the batch")
            tell(config, 31, 40)
            await_spans(took, ids(1, 40))
            again.terminate()
            assert again.wait(60) == 0
        expected = dict.fromkeys(ids(1, 40), 1) | dict.fromkeys(first, 2)
        assert took.counts() == expected


def test_a_broker_that_dies_between_the_spans_and_the_commit_doubles_none(
    config: Config, kafka: Kafka
) -> None:
    tell(config, 1, 20)
    with grpc_collector() as (took, url):
        died = threading.Event()

        def die() -> None:
            if not died.is_set():
                kafka.kill()
                died.set()

        took.before_answer = die
        with exporting(config, url):
            assert died.wait(60)
            kafka.start()
            tell(config, 21, 30)
            await_spans(took, ids(1, 30))
        assert took.counts() == dict.fromkeys(ids(1, 30), 1)


def test_a_topic_that_was_made_anew_is_read_from_its_start(config: Config) -> None:
    from headgate.kafka.connect import admin_client
    from tests.redis_server import await_true

    tell(config, 1, 20)
    name = config.topic_names.history
    with grpc_collector() as (took, url):
        with exporting(config, url):
            await_spans(took, ids(1, 20))
        with admin_client(config.kafka.bootstrap) as admin:
            admin.delete_topics([name])
            await_true(lambda: all(each["error_code"] for each in admin.describe_topics([name])))
        ensure_topics(config)
        tell(config, 21, 25)
        with exporting(config, url):
            await_spans(took, ids(1, 25))
        assert took.counts() == dict.fromkeys(ids(1, 25), 1)
