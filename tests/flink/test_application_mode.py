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
from headgate.local.flink import JOB_MANAGER, Flink
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.local.rest import POLL_SECONDS
from headgate.local.supervisor import Supervisor
from headgate.sdk import Agent, Event, Turn
from headgate.testing.records import Records
from headgate.testing.serving import Serving

pytestmark = [pytest.mark.flink, pytest.mark.slow]

# A client on a busy machine needs minutes for what takes a quiet one ten seconds.
START_SECONDS = 240.0
ENTRY_POINT = "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint"
DRIVER = "org.apache.flink.client.python.PythonDriver"

TOML = """
[kafka]
bootstrap = "{bootstrap}"

[[topics]]
name = "events"

[[routes]]
topic = "events"
agent = "echo"

[agents.echo]
endpoint = "{endpoint}"
"""


class ApplicationFlink(Flink):
    """A Flink cluster whose JobManager is one job's own, as `standalone-job.sh` starts it."""

    job: tuple[str, ...] = ()

    def java(self, process: str, main: str, memory: str | None, *options: str) -> list[str]:
        """Start the application's entry point instead of the session's."""
        if main != JOB_MANAGER:
            return super().java(process, main, memory, *options)
        command = super().java(process, ENTRY_POINT, memory, *options)
        return [*command, "--job-classname", DRIVER, *self.job]


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
        text = TOML.format(bootstrap=kafka.bootstrap, endpoint=serving.endpoint)
        (home / "headgate.toml").write_text(text, encoding="utf-8")
        yield home, family, kafka
        kafka.stop()


def await_job(flink: Flink) -> str:
    """Wait until the script has built its job, and return the job's id."""
    deadline = time.monotonic() + START_SECONDS
    while not (found := flink.rest.jobs()):
        assert time.monotonic() < deadline, f"no job; see {flink.logs}/jobmanager.log"
        time.sleep(POLL_SECONDS)
    return str(found[0]["id"])


def test_the_jobmanager_looks_at_what_it_is_to_restore(parts: tuple[Path, Family, Kafka]) -> None:
    home, family, _ = parts
    script = jars.settings_folder().parent / "jobs" / "agent_runtime.py"
    supervisor = Supervisor(family)
    flink = ApplicationFlink(family, supervisor, home / "refused", jars.fetch() / "flink")
    flink.job = ("--fromSavepoint", "file:///nowhere/chk-1", "-py", str(script))
    flink.job += ("--config", str(home / "headgate.toml"))
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
    script = jars.settings_folder().parent / "jobs" / "agent_runtime.py"
    supervisor = Supervisor(family)
    flink = ApplicationFlink(family, supervisor, home / "flink", jars.fetch() / "flink")
    flink.job = ("-py", str(script), "--config", str(path))
    flink.launch()
    try:
        flink.await_serving(START_SECONDS)
        job = await_job(flink)
        flink.rest.await_running(job, START_SECONDS)
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
