"""A running job with topics of every format, an honest agent and liars: what tests/flink shares."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from kafka import TopicPartition
from typer.testing import CliRunner

from headgate.cli import app
from headgate.config import Config, load
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.connect import open_consumer
from headgate.kafka.publish import Placed, Publisher
from headgate.kafka.registry import write_specs
from headgate.kafka.views import View
from headgate.local.jars import settings_folder
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.sdk import Agent, Event, Turn
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from tests.flink.liars import LIARS, Liar

JOB_SECONDS = 240.0
POLL_MS = 500
MAX_RECORD = 100_000

TOML = """
[kafka]
bootstrap = "{bootstrap}"

[limits]
max_record = "100KB"

[[topics]]
name = "events"

[[topics]]
name = "orders"
format = "json"
type = "shop.order"
key = "json:/customer"

[[topics]]
name = "blobs"
format = "bytes"
type = "shop.blob"

[[topics]]
name = "strangers"

[[topics]]
name = "offers"

[[routes]]
topic = "strangers"
agent = "stranger"

[agents.stranger]
endpoint = "127.0.0.1:9"
"""

HONEST = """
[[routes]]
topic = "{topic}"
agent = "mirror"
"""

AGENT = """
[agents.{name}]
endpoint = "{endpoint}"
[agents.{name}.policy]
max_attempts = 2
backoff = {{ initial = "50ms" }}
"""

LIAR = """
[[topics]]
name = "for-{name}"

[[routes]]
topic = "for-{name}"
agent = "{name}"
"""


@dataclass
class Mirror:
    """How many events an instance has seen."""

    count: int = 0


def mirror(name: str = "mirror", revision: str = "1") -> Agent[Mirror]:
    """Make an agent that answers with what it was given; told to be large, to tell others or to set
    timers, it does.
    """
    agent = Agent(name, Mirror, revision=revision)

    @agent.on("*")
    def answer(turn: Turn[Mirror], event: Event) -> None:
        turn.state.count += 1
        data = event.data.decode() if isinstance(event.data, bytes) else event.data
        answer: dict[str, Any] = {"seen": data, "type": event.type, "count": turn.state.count}
        if isinstance(data, dict) and "swell" in data:
            answer["swollen"] = "x" * data["swell"]
        if isinstance(data, dict) and "tell" in data:
            turn.send(data["tell"], "test.told", data["say"])
        if isinstance(data, dict) and "after_ms" in data:
            turn.set_timer(data["set"], timedelta(milliseconds=data["after_ms"]), {"due": True})
        turn.emit("mirror.reply", answer)

    return agent


class Runtime:
    """The stack, the job and what it puts out."""

    def __init__(self, home: Path) -> None:
        self._open = ExitStack()
        self._ids = itertools.count(1)
        self.stack = LocalStack(home)

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            served = opening.enter_context(Serving(mirror()))
            liars = {name: Liar(name) for name in LIARS}
            for liar in liars.values():
                opening.callback(liar.close)
            opening.enter_context(self.stack)
            text = TOML.format(bootstrap=self.stack.kafka.bootstrap)
            text += "".join(HONEST.format(topic=topic) for topic in ("events", "orders", "blobs"))
            text += AGENT.format(name="mirror", endpoint=served.endpoint)
            for name, liar in liars.items():
                text += LIAR.format(name=name) + AGENT.format(name=name, endpoint=liar.endpoint)
            self.path = path = self.stack.home / "headgate.toml"
            path.write_text(text, encoding="utf-8")
            self.config: Config = load(path)
            script = settings_folder().parent / "jobs" / "agent_runtime.py"
            self.job = submit(self.stack.flink, script, ["--config", str(path)])
            self.stack.flink.rest.await_running(self.job, JOB_SECONDS)
            bootstrap = self.config.kafka.bootstrap
            # An agent that the job's routes name and nobody has attached (any more).
            write_specs(bootstrap, self.config.topic_names.registry, {"stranger": None})
            self.records = opening.enter_context(Records(self.config))
            self.publisher = opening.enter_context(Publisher(bootstrap, max_record=1_000_000))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def fresh(self, what: str = "key") -> str:
        """Return a name that no test has used."""
        return f"{what}-{next(self._ids)}"

    def publish(
        self, topic: str, key: str, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> Placed:
        """Publish a record as it is and return where it stands."""
        return self.publisher.send(topic, key, value, headers).wait()

    def send(
        self, topic: str, key: str, data: Any, event_id: str = "", event_type: str = "test"
    ) -> Placed:
        """Publish a structured CloudEvent."""
        value = structured(
            data, event_type=event_type, source="tests", event_id=event_id or self.fresh("event")
        )
        return self.publish(topic, key, value, dict([CONTENT_TYPE]))

    def answers(self, key: str, count: int = 1) -> list[View]:
        """Wait for so many outputs of the honest agent's instance and return all it has."""
        return self.answers_of(f"mirror/{key}", count)

    def answers_of(self, address: str, count: int = 1) -> list[View]:
        """Wait for so many outputs of an instance and return all it has."""

        def find() -> list[View] | None:
            found = list(self.records.outbox_of.get(address, ()))
            return found if len(found) >= count else None

        return self.records.await_found(find, f"answer {count} of {address}")

    def headgate(self, *arguments: str) -> Any:
        """Run a command as one would type it; return what it says as JSON."""
        return self.headgate_plain(*arguments, "-o", "json")

    def headgate_plain(self, *arguments: str) -> Any:
        """Run a command whose answer is JSON in any case."""
        return json.loads(self.headgate_text(*arguments))

    def headgate_text(self, *arguments: str) -> str:
        """Run a command and return what it says."""
        given = [*arguments, "--config", str(self.path)]
        ran = CliRunner().invoke(app.app, given)
        if ran.exception is not None:
            raise ran.exception
        return ran.stdout

    def letter_at(self, place: Placed) -> View:
        """Wait for the dead letter of a record."""
        origin = {"topic": place.topic, "partition": place.partition, "offset": place.offset}

        def find() -> View | None:
            found = [each for each in self.records.dead_letters if each.get("origin") == origin]
            return found[0] if found else None

        return self.records.await_found(find, f"the dead letter of {json.dumps(origin)}")

    def journal_key(self, partition: int) -> bytes:
        """Return the key that the job's own records have in a partition of the journal."""
        consumer = open_consumer(self.config.kafka.bootstrap)
        place = TopicPartition(self.config.topic_names.journal, partition)
        consumer.assign([place])
        # The very first is a tick of the job's start; tests write later ones.
        consumer.seek(place, 0)
        polled: list[Any] = []
        while not polled:
            polled = consumer.poll(timeout_ms=POLL_MS).get(place, [])
        consumer.close()
        key: bytes = polled[0].key
        return key

    def assert_unharmed(self) -> None:
        """Assert that the job never restarted, runs, and serves others."""
        key = self.fresh("bystander")
        self.send("events", key, {"n": 1})
        assert self.answers(key)[0]["data"]["count"] == 1
        assert self.stack.flink.rest.exceptions(self.job) == []
        assert self.stack.flink.rest.is_running(self.job)
