"""The job in application mode: a JobManager that runs jobs/agent_runtime.py and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.config import load
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Publisher
from headgate.local import jars
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.local.rest import POLL_SECONDS
from headgate.local.supervisor import Supervisor
from headgate.sdk import Agent, Event, Turn
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from tests.flink.application import START_SECONDS, ApplicationFlink, arguments, await_job
from tests.flink.configured import headgate_toml

pytestmark = [pytest.mark.flink, pytest.mark.slow]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Family, Kafka]]:
    """A Kafka, and an echo service that headgate.toml names."""
    home = tmp_path_factory.mktemp("application")
    agent: Agent[Any] = Agent("echo")

    @agent.on("*")
    def answer(turn: Turn[Any], event: Event) -> None:
        turn.emit("echo.reply", event.data)

    with Family() as family, Serving(agent) as serving:
        kafka = Kafka(family, home / "kafka", jars.fetch() / "kafka")
        kafka.start()
        text = headgate_toml(kafka.bootstrap, "echo", serving.endpoint)
        (home / "headgate.toml").write_text(text, encoding="utf-8")
        yield home, family, kafka
        kafka.stop()


def test_the_jobmanager_looks_at_what_it_is_to_restore(parts: tuple[Path, Family, Kafka]) -> None:
    home, family, _ = parts
    supervisor = Supervisor(family)
    flink = ApplicationFlink(family, supervisor, home / "refused", jars.fetch() / "flink")
    flink.arguments = arguments(home / "headgate.toml", "file:///nowhere/chk-1")
    flink.launch()
    try:
        log = flink.logs / "jobmanager.log"
        deadline = time.monotonic() + START_SECONDS
        while "CheckpointUnreadableError" not in (log.read_text() if log.is_file() else ""):
            assert time.monotonic() < deadline, f"nothing was refused; see {log}"
            time.sleep(POLL_SECONDS)
    finally:
        supervisor.stop()
        flink.stop()


def test_the_job_runs_in_application_mode(parts: tuple[Path, Family, Kafka]) -> None:
    home, family, _ = parts
    path = home / "headgate.toml"
    supervisor = Supervisor(family)
    flink = ApplicationFlink(family, supervisor, home / "flink", jars.fetch() / "flink")
    flink.arguments = arguments(path)
    flink.launch()
    try:
        await_job(flink)
        config = load(path)
        with Records(config) as records, Publisher(config.kafka.bootstrap) as publisher:
            event = structured({"n": 1}, event_type="test", source="tests", event_id="e1")
            publisher.send("events", "17", event, dict([CONTENT_TYPE])).wait()
            [answer] = records.await_found(lambda: list(records.outbox) or None, "the answer")
        assert (answer["source"], answer["data"]) == ("headgate:echo/17", {"n": 1})
        assert [each["state"] for each in flink.rest.jobs()] == ["RUNNING"]
    finally:
        supervisor.stop()
        flink.stop()
