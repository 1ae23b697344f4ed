"""Checkpoints on an S3-compatible store, by the plugin and the settings that k8s/ names."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate.config import load
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Publisher
from headgate.kafka.topics import ensure_topics
from headgate.local import jars
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.local.rest import POLL_SECONDS
from headgate.local.supervisor import Supervisor
from headgate.sdk import Agent, Event, Turn
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from tests.environment import UnavailableError
from tests.flink.application import START_SECONDS, ApplicationFlink, arguments, await_job
from tests.flink.configured import headgate_toml
from tests.flink.s3 import BUCKET, KEYS, Store, add_plugin, fetch_plugin, serving_store
from tests.manifests import base, the_job

pytestmark = [pytest.mark.flink, pytest.mark.slow]

# What k8s/ says of checkpoints; its other settings are the embedded ones.
STORAGE = (
    "execution.checkpointing.dir",
    "execution.checkpointing.savepoint-dir",
    "execution.checkpointing.tolerable-failed-checkpoints",
)


@dataclass
class Count:
    """How many events an instance has had."""

    events: int = 0


def flink_of(home: Path, family: Family, store: Store) -> tuple[Supervisor, ApplicationFlink]:
    """Describe a cluster of one job's own that keeps its checkpoints in the store."""
    supervisor = Supervisor(family)
    deployed = the_job(base())["flinkConfiguration"]
    settings = {key: deployed[key] for key in STORAGE}
    settings |= {"s3.endpoint": store.endpoint, "s3.path.style.access": "true"}
    connectors = jars.fetch() / "flink"
    flink = ApplicationFlink(family, supervisor, home, connectors, settings=settings)
    flink.environment |= KEYS
    return supervisor, flink


@dataclass
class Parts:
    """What both starts of the job share."""

    home: Path
    family: Family
    store: Store

    def flink(self, name: str, restored: str | None = None) -> tuple[Supervisor, ApplicationFlink]:
        """Describe a cluster that runs the job."""
        supervisor, flink = flink_of(self.home / name, self.family, self.store)
        add_plugin(flink.distribution)
        flink.arguments = arguments(self.home / "headgate.toml", restored)
        return supervisor, flink

    def newest_checkpoint(self, job: str) -> str:
        """Return the path of a job's newest complete checkpoint."""
        whole = self.store.names(f"checkpoints/{job}/chk-", "/_metadata")
        assert whole, f"no complete checkpoint of {job}: {self.store.names('')}"
        newest = max(whole, key=lambda name: int(name.split("/")[2].removeprefix("chk-")))
        return f"s3://{BUCKET}/{newest.removesuffix('/_metadata')}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An S3-compatible store with an empty bucket, where Flink's plugin can be had as well."""
    with Family() as family:
        try:
            fetch_plugin()
            with serving_store(family, tmp_path_factory.mktemp("store") / "s3.log") as serving:
                yield serving
        except UnavailableError as error:
            pytest.skip(f"no S3-compatible store here: {error}")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Iterator[Parts]:
    """A Kafka beside the store, and an agent that counts, which headgate.toml names."""
    home = tmp_path_factory.mktemp("s3")
    agent: Agent[Count] = Agent("counter", Count)

    @agent.on("*")
    def count(turn: Turn[Count], event: Event) -> None:
        turn.state.events += 1
        turn.emit("counted", {"events": turn.state.events})

    with Family() as family, Serving(agent) as serving:
        kafka = Kafka(family, home / "kafka", jars.fetch() / "kafka")
        kafka.start()
        text = headgate_toml(kafka.bootstrap, "counter", serving.endpoint)
        (home / "headgate.toml").write_text(text, encoding="utf-8")
        ensure_topics(load(home / "headgate.toml"))
        yield Parts(home, family, store)
        kafka.stop()


def read(path: str, given: dict[str, str]) -> str:
    """Read a checkpoint as a command does, in a JVM of its own; return its number, or why not."""
    script = (
        "import sys; from headgate.flink.checkpoints import read_checkpoint as read\n"
        "try: print(read(sys.argv[1]).number)\n"
        "except Exception as error: print(error)"
    )
    command = [sys.executable, "-c", script, path]
    run = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_a_command_reaches_the_store_by_the_plugin(tmp_path: Path, store: Store) -> None:
    path = f"s3://{BUCKET}/checkpoints/none/chk-1"
    with Family() as family:
        _, flink = flink_of(tmp_path, family, store)
        assert "Cannot access file system" in read(path, flink.environment)
        add_plugin(flink.distribution)
        found = read(path, flink.environment)
    assert f"Cannot find checkpoint or savepoint file/directory '{path}'" in found


def test_a_job_outlives_its_store_and_goes_on_from_a_checkpoint_in_it(parts: Parts) -> None:
    config = load(parts.home / "headgate.toml")
    restored = ""
    with Records(config) as records, Publisher(config.kafka.bootstrap) as publisher:

        def send(event_id: str) -> None:
            event = structured({}, event_type="test", source="tests", event_id=event_id)
            publisher.send("events", "17", event, dict([CONTENT_TYPE])).wait()

        def await_answers(count: int) -> None:
            # Committed, so a checkpoint that covers them is complete and in the store.
            records.await_found(lambda: len(records.outbox) >= count or None, f"answer {count}")

        for life in (1, 2):
            supervisor, flink = parts.flink(f"flink-{life}", restored or None)
            flink.launch()
            try:
                job = await_job(flink)
                send(f"e{life}")
                await_answers(life)
                if life == 2:
                    lose_the_bucket(parts.store, flink, job)
                    send("e3")
                    parts.store.make_bucket()
                    await_answers(3)
                    assert flink.rest.jobs()[0]["state"] == "RUNNING"
                    assert flink.rest.exceptions(job) == []
            finally:
                # As on a crash: the job is not cancelled, and nobody takes a savepoint.
                supervisor.stop()
                flink.stop()
            restored = parts.newest_checkpoint(job)
            # What the crash left open at the broker; the check before the restore asks for it.
            release = [sys.executable, "-m", "headgate.cli.app", "job", "release"]
            release += ["--checkpoint", restored, "--config", str(parts.home / "headgate.toml")]
            subprocess.run(release, env=flink.environment, check=True, capture_output=True)
    number = int(read(restored, flink.environment))
    assert restored.endswith(f"/chk-{number}")
    # Without the state that the store kept, the second would be 1 again.
    assert [each["data"]["events"] for each in records.outbox] == [1, 2, 3]


def lose_the_bucket(store: Store, flink: ApplicationFlink, job: str) -> None:
    """Take the bucket away, and wait until checkpoints have failed for it."""
    store.lose_bucket()
    deadline = time.monotonic() + START_SECONDS
    while flink.rest.checkpoints(job)["counts"]["failed"] < 2:
        assert time.monotonic() < deadline, f"no checkpoint fails: {flink.rest.checkpoints(job)}"
        time.sleep(POLL_SECONDS)
