"""Checkpoints on an S3-compatible store, by the plugin and the settings that k8s/ names."""

from __future__ import annotations

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
from headgate.local.supervisor import Supervisor
from headgate.sdk import Agent, Event, Turn
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from tests.environment import UnavailableError
from tests.flink.application import ApplicationFlink, arguments, await_job
from tests.flink.s3 import BUCKET, Store, environment, plugins_folder, serving_store
from tests.manifests import base, the_job

pytestmark = [pytest.mark.flink, pytest.mark.slow]

TOML = """
[kafka]
bootstrap = "{bootstrap}"

[[topics]]
name = "events"

[[routes]]
topic = "events"
agent = "counter"

[agents.counter]
endpoint = "{endpoint}"
"""


@dataclass
class Count:
    """How many events an instance has had."""

    events: int = 0


@dataclass
class Parts:
    """What both starts of the job share."""

    home: Path
    family: Family
    store: Store

    def flink(self, name: str, restored: str | None = None) -> tuple[Supervisor, ApplicationFlink]:
        """Describe a cluster of the job's own that keeps its checkpoints in the store."""
        deployed = the_job(base())["flinkConfiguration"]
        settings = {"execution.checkpointing.dir": deployed["execution.checkpointing.dir"]}
        settings |= {"s3.endpoint": self.store.endpoint, "s3.path.style.access": "true"}
        supervisor = Supervisor(self.family)
        connectors = jars.fetch() / "flink"
        flink = ApplicationFlink(
            self.family, supervisor, self.home / name, connectors, settings=settings
        )
        flink.environment |= environment(self.home / "plugins")
        flink.arguments = arguments(self.home / "headgate.toml", restored)
        return supervisor, flink

    def newest_checkpoint(self, job: str) -> str:
        """Return the path of a job's newest complete checkpoint."""
        whole = self.store.names(f"checkpoints/{job}/chk-", "/_metadata")
        assert whole, f"no complete checkpoint of {job}: {self.store.names('')}"
        newest = max(whole, key=lambda name: int(name.split("/")[2].removeprefix("chk-")))
        return f"s3://{BUCKET}/{newest.removesuffix('/_metadata')}"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """A store, a Kafka, and an agent that counts, which headgate.toml names."""
    home = tmp_path_factory.mktemp("s3")
    agent: Agent[Count] = Agent("counter", Count)

    @agent.on("*")
    def count(turn: Turn[Count], event: Event) -> None:
        turn.state.events += 1
        turn.emit("counted", {"events": turn.state.events})

    with Family() as family, Serving(agent) as serving:
        try:
            plugins_folder(home / "plugins")
            with serving_store(family, home / "s3.log") as store:
                kafka = Kafka(family, home / "kafka", jars.fetch() / "kafka")
                kafka.start()
                text = TOML.format(bootstrap=kafka.bootstrap, endpoint=serving.endpoint)
                (home / "headgate.toml").write_text(text, encoding="utf-8")
                ensure_topics(load(home / "headgate.toml"))
                yield Parts(home, family, store)
                kafka.stop()
        except UnavailableError as error:
            pytest.skip(f"no S3-compatible store here: {error}")


def test_a_job_goes_on_from_a_checkpoint_in_the_store(parts: Parts) -> None:
    config = load(parts.home / "headgate.toml")
    restored: str | None = None
    with Records(config) as records, Publisher(config.kafka.bootstrap) as publisher:
        for life in (1, 2):
            supervisor, flink = parts.flink(f"flink-{life}", restored)
            flink.launch()
            try:
                job = await_job(flink)
                event = structured({}, event_type="test", source="tests", event_id=f"e{life}")
                publisher.send("events", "17", event, dict([CONTENT_TYPE])).wait()
                # Committed, so a checkpoint that covers it is complete and in the store.
                records.await_found(
                    lambda life=life: len(records.outbox) >= life or None, "the answer"
                )
            finally:
                # As on a crash: the job is not cancelled, and nobody takes a savepoint.
                supervisor.stop()
                flink.stop()
            restored = parts.newest_checkpoint(job)
    # Without the state that the store kept, the second would be 1 again.
    assert [each["data"]["events"] for each in records.outbox] == [1, 2]
