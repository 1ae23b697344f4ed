"""What `HeadgateStack` runs on: embedded stack, a job that grows with the agents, readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from headgate.config import Config, load
from headgate.kafka.publish import Placed, Publisher
from headgate.kafka.registry import write_specs
from headgate.kafka.topics import ensure_topics
from headgate.kafka.views import View
from headgate.local.jars import settings_folder
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.sdk import Agent
from headgate.sealing.known import know
from headgate.sim.agents import SimAgent
from headgate.testing.doubles import Doubles
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from headgate.v1.turn_pb2 import (
    AgentSpec,
    DeadLetter,
    HistoryRecord,
    InboxRecord,
    Outcome,
    Policy,
    Route,
)

T = TypeVar("T")

JOB_SECONDS = 240.0
# Gate follows the registry with a poll of half a second.
REGISTRY_SECONDS = 1.0
# Below Kafka's batch limit, and above what a test would write by hand.
MAX_RECORD = 1_000_000

HEAD = """\
[kafka]
bootstrap = "{bootstrap}"
"""
EACH = """
[[topics]]
name = "to-{name}"

[[routes]]
topic = "to-{name}"
agent = "{name}"

[agents.{name}]
endpoint = "{endpoint}"
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that was published."""

    source: str
    id: str
    place: Placed


class Cluster:
    """Kafka and Flink; the job starts with the first event, and again when an agent type is new."""

    def __init__(self, home: Path, settings: str = "") -> None:
        self._settings = settings
        self.stack = LocalStack(home)
        self._serving: dict[str, Serving] = {}
        self._doubles = Doubles()
        self._specs: dict[str, AgentSpec] = {}
        self._config: Config | None = None
        self.job = ""
        # Tests may send from several threads; the first event of any starts the job.
        self._starting = threading.Lock()
        self._types_of_job: set[str] = set()
        self._records: Records | None = None
        self._publisher: Publisher | None = None

    def start(self) -> None:
        """Start Kafka and Flink."""
        self.stack.start()

    def close(self) -> None:
        """End everything."""
        parts = (self._publisher, self._records, self._doubles, *self._serving.values())
        for part in parts:
            if part is not None:
                part.close()
        self.stack.stop()

    @property
    def agent_types(self) -> list[str]:
        """The agent types that were attached, ever."""
        return list(self._specs)

    def attach(self, agent: Agent[Any], policy: Policy) -> None:
        """Serve an agent, in place of one of the same type."""
        name = agent.name
        if name in self._serving:
            self._serving[name].replace(agent)
        else:
            self._serving[name] = Serving(agent)
        self.register(name, self._serving[name].endpoint, policy)

    def attach_double(
        self, name: str, agent: SimAgent, policy: Policy, *, has_stream: bool = True
    ) -> None:
        """Serve a double, in place of one of the same type."""
        endpoint = self._doubles.serve(name, agent, has_stream=has_stream)
        self.register(name, endpoint, policy)

    def register(self, name: str, endpoint: str, policy: Policy) -> None:
        """Let the job call agents of this type at HOST:PORT, whoever serves them there."""
        spec = AgentSpec(
            type=name,
            endpoints=[endpoint],
            policy=policy,
            schema_version=1,
            routes=[Route(topic=f"to-{name}")],
        )
        known, self._specs[name] = self._specs.get(name), spec
        if self._config is not None and name in self._types_of_job and spec != known:
            self._write_specs(self._config)
            time.sleep(REGISTRY_SECONDS)

    # ------------------------------------------------------------------------------------ inputs

    def publish(
        self, agent_type: str, key: str, value: bytes, headers: Mapping[str, bytes]
    ) -> Placed:
        """Publish an event's record and return where it stands."""
        self._await_job()
        assert self._publisher is not None  # noqa: S101 - made with the job
        return self._publisher.send(f"to-{agent_type}", key, value, headers).wait()

    def publish_inbox(self, address: str, record: InboxRecord) -> Placed:
        """Publish an operator's control or a signal and return where it stands."""
        self._await_job()
        assert self._publisher is not None and self._config is not None  # noqa: S101
        inbox = self._config.topic_names.inbox
        return self._publisher.send(inbox, address, record.SerializeToString()).wait()

    def _await_job(self) -> None:
        with self._starting:
            if not self.job or self._types_of_job != set(self._specs):
                self._start_job()

    def _start_job(self) -> None:
        path = self._write_config()
        self._config = config = load(path)
        know(config.kafka.bootstrap, config)
        ensure_topics(config)
        rest, restore = self.stack.flink.rest, None
        if self.job:
            # A topic can only be added between two lives of the job; instances keep their state.
            folder = (self.stack.home / "flink" / "savepoints").as_uri()
            restore = rest.stop_with_savepoint(self.job, folder, JOB_SECONDS)
        script = settings_folder().parent / "jobs" / "agent_runtime.py"
        self.job = submit(self.stack.flink, script, ["--config", str(path)], restore_from=restore)
        self._types_of_job = set(self._specs)
        self._write_specs(config)
        rest.await_running(self.job, JOB_SECONDS)
        if self._records is None:
            self._records = Records(config)
            self._publisher = Publisher(config.kafka.bootstrap, max_record=MAX_RECORD)

    def _write_config(self) -> Path:
        path = self.stack.home / "headgate.toml"
        text = HEAD.format(bootstrap=self.stack.kafka.bootstrap) + self._settings
        for name, spec in self._specs.items():
            text += EACH.format(name=name, endpoint=spec.endpoints[0])
        path.write_text(text, encoding="utf-8")
        return path

    def _write_specs(self, config: Config) -> None:
        write_specs(config.kafka.bootstrap, config.topic_names.registry, self._specs)

    # --------------------------------------------------------------------------------- what came

    def await_found(self, find: Callable[[], T | None], what: str) -> T | None:
        """Wait until `find` finds something; at once if nothing was ever sent."""
        return self._records.await_found(find, what) if self._records else find()

    def history(self, address: str) -> list[HistoryRecord]:
        """Return an instance's whole history so far."""
        return list(self._records.history_of.get(address, ())) if self._records else []

    def outbox(self, address: str) -> list[View]:
        """Return an instance's outputs so far."""
        return list(self._records.outbox_of.get(address, ())) if self._records else []

    def letters(self) -> list[DeadLetter]:
        """Return all dead letters so far."""
        return list(self._records.letter_records) if self._records else []

    def letters_of(self, address: str) -> list[DeadLetter]:
        """Return an instance's dead letters so far."""
        return list(self._records.letters_of.get(address, ())) if self._records else []

    def is_parked(self, address: str) -> bool:
        """Tell whether the newest turn parked the instance."""
        history = self.history(address)
        return bool(history) and history[-1].outcome.failed.park

    def is_through(self, sent: Mapping[str, Sequence[Sent]]) -> bool:
        """Tell whether the events that were sent to each address, and the messages of turns so far,
        are taken, refused or behind a parked one, and all is out. Timers are not waited for.
        """
        posted = self._records.posted if self._records else {}
        letters = self.letters()
        return all(
            self._is_through(address, sent.get(address, ()), posted.get(address, ()), letters)
            for address in {*sent, *list(posted)}
        )

    def _is_through(
        self,
        address: str,
        sent: Sequence[Sent],
        posted: Iterable[str],
        letters: Sequence[DeadLetter],
    ) -> bool:
        history = self.history(address)
        # By id: of two events with the same id only one is taken.
        taken = {(ref.source, ref.id) for record in history for ref in record.outcome.taken}
        refused = {
            (letter.origin.topic, letter.origin.partition, letter.origin.offset)
            for letter in letters
        }
        is_waiting = any(
            (each.source, each.id) not in taken
            and (each.place.topic, each.place.partition, each.place.offset) not in refused
            for each in sent
        )
        known = {name for _, name in taken} | {letter.event_id for letter in letters}
        if (is_waiting or not known.issuperset(posted)) and not self.is_parked(address):
            return False
        # One checkpoint commits all three topics, but not at the same moment.
        outputs = {str(each["id"]) for each in self.outbox(address)}
        promised = {
            f"{address}/{record.outcome.turn}/{index}"
            for record in history
            for index in range(len(record.outcome.outputs))
        }
        given_up = {f"{address}/{r.outcome.turn}" for r in history if _gives_up(r.outcome)}
        return promised <= outputs and given_up <= {
            letter.id for letter in self.letters_of(address)
        }


def _gives_up(outcome: Outcome) -> bool:
    failed, controlled = outcome.failed, outcome.controlled
    return failed.HasField("dead_letter") or controlled.HasField("dead_letter")
