"""A job whose outputs become visible when the test says so, and what is in its topics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from headgate.config import Config, load
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Publisher
from headgate.kafka.span import Spans
from headgate.kafka.transactions import ONGOING, describe
from headgate.local.jars import settings_folder
from headgate.local.rest import POLL_SECONDS
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.repair.checkpoint import Prepared
from headgate.repair.present import history_in
from headgate.sdk import Agent, Event, TerminalError, Turn
from tests.flink.configured import headgate_toml

T = TypeVar("T")

SECONDS = 240.0

# No checkpoint of its own comes while a test needs none: what a savepoint prepares stays
# uncommitted. Flink puts the first one anywhere between this pause and the interval.
PAUSE = {"execution.checkpointing.min-pause": "29 s"}
TIMES = """\
checkpoint_interval = "30s"
transaction_timeout = "31s"
"""


@dataclass
class Counter:
    """How many events an instance has seen."""

    count: int = 0


def counter() -> Agent[Counter]:
    """Make an agent that counts; some events it gives up."""
    agent = Agent("counter", Counter)

    @agent.on("*")
    def count(turn: Turn[Counter], event: Event) -> None:
        if event.data.get("bad"):
            message = "it is bad"
            raise TerminalError(message)
        turn.state.count += 1
        turn.emit("counter.counted", {"count": turn.state.count, "n": event.data["n"]})

    return agent


def await_found(find: Callable[[], T | None], what: str) -> T:
    """Return what `find` finds as soon as it finds something."""
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(POLL_SECONDS)
    return found


class Job:
    """The job, its topics, and what it leaves behind."""

    config: Config

    def __init__(
        self, stack: LocalStack, endpoint: str, *, partitions: int = 2, more: str = ""
    ) -> None:
        """``more``: what stands behind the agent's section in headgate.toml."""
        self.stack, self._more = stack, more
        self.path = stack.home / "headgate.toml"
        self._endpoint, self._partitions = endpoint, partitions
        self.configure()
        self.id = ""
        self.saved: list[str] = []

    def configure(self, *, parallelism: int = 1) -> None:
        """Write the configuration of the next start."""
        text = headgate_toml(
            self.stack.kafka.bootstrap,
            "counter",
            self._endpoint,
            kafka=f"partitions = {self._partitions}",
            job=f"parallelism = {parallelism}\n{TIMES}",
            more=self._more,
        )
        self.path.write_text(text, encoding="utf-8")
        self.config = load(self.path)

    def start(self, restore_from: str | None = None, *flags: str) -> None:
        """Submit and wait until it runs; raises JobFailedError with what the script said."""
        script = settings_folder().parent / "jobs" / "agent_runtime.py"
        arguments = ["--config", str(self.path), *flags]
        self.id = submit(self.stack.flink, script, arguments, restore_from=restore_from)
        self.stack.flink.rest.await_running(self.id, SECONDS)

    def savepoint(self) -> str:
        """Take a savepoint: its transactions are prepared, and not committed."""
        folder = self.stack.flink.savepoints.as_uri()
        self.saved.append(self.stack.flink.rest.savepoint(self.id, folder, SECONDS))
        return self.saved[-1]

    def stop(self) -> str:
        """Stop with a savepoint: its transactions are committed."""
        folder = self.stack.flink.savepoints.as_uri()
        self.saved.append(self.stack.flink.rest.stop_with_savepoint(self.id, folder, SECONDS))
        return self.saved[-1]

    def checkpoint(self) -> str:
        """Take a checkpoint now, let the job run on, and return where it is."""
        rest = self.stack.flink.rest
        before = rest.checkpoints(self.id)["counts"]["completed"]
        rest.request("POST", f"/jobs/{self.id}/checkpoints", {"checkpointType": "CONFIGURED"})
        await_found(
            lambda: rest.checkpoints(self.id)["counts"]["completed"] > before, "a checkpoint"
        )
        return str(rest.checkpoints(self.id)["latest"]["completed"]["external_path"])

    def cancel(self) -> None:
        """Stop as an operator in a hurry does."""
        self.stack.flink.rest.cancel(self.id, SECONDS)

    def crash(self) -> None:
        """Kill Flink, all of it; nobody replaces it."""
        supervisor = self.stack._supervisor
        assert supervisor is not None
        supervisor.stop()
        for pid in (self.stack.flink.job_manager_pid, *self.stack.task_manager_pids()):
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        self.stack.flink.stop()

    def send(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Publish events and wait until the job has written what they make."""
        before = self.turns()
        self.await_turns(before + self.publish(events))

    def publish(self, events: Iterable[tuple[str, dict[str, Any]]]) -> int:
        """Publish events, wait until Kafka has them, and return how many they were."""
        with Publisher(self.config.kafka.bootstrap) as publisher:
            sent = []
            for key, data in events:
                name = f"{key}-{data['n']}"
                event = structured(data, event_type="test", source="tests", event_id=name)
                sent.append(publisher.send("events", key, event, dict([CONTENT_TYPE])))
            for each in sent:
                each.wait()
            return len(sent)

    def turns(self) -> int:
        """Count what was written to the history, visible or not."""
        return len(self.values("history", is_committed=False))

    def await_turns(self, count: int) -> None:
        """Wait until so many records were written to the history, visible or not."""
        await_found(lambda: self.turns() >= count, f"turn {count}")

    def values(self, kind: str, *, is_committed: bool = True) -> list[bytes]:
        """Return the values of a topic of outputs, in the order of partitions and offsets; of the
        history its turns: a moment that was closed is closed anew by the next tick.
        """
        topic = getattr(self.config.topic_names, kind)
        with Spans(self.config.kafka.bootstrap, is_read_committed=is_committed) as spans:
            return [
                record.value
                for number in range(self.config.kafka.partitions)
                for record in spans.records(topic, number, 0, spans.end(topic, number))
                if kind != "history" or history_in(record.value)
            ]

    def output_ids(self) -> list[str]:
        """Return the ids of all visible outputs."""
        return sorted(str(json.loads(value)["id"]) for value in self.values("outbox"))

    def await_aborted(self, prepared: Iterable[Prepared]) -> None:
        """Wait until the broker has ended these transactions."""
        names = [each.transactional_id for each in prepared]
        assert names
        bootstrap = self.config.kafka.bootstrap
        await_found(
            lambda: all(each.state != ONGOING for each in describe(bootstrap, names).values()),
            "the end of the transactions",
        )

    def is_readable(self) -> bool:
        """Tell whether a reader of the committed reaches the end of every topic of outputs."""
        names, bootstrap = self.config.topic_names, self.config.kafka.bootstrap
        with (
            Spans(bootstrap, is_read_committed=False) as everything,
            Spans(bootstrap, is_read_committed=True) as committed,
        ):
            return all(
                everything.end(topic, number) == committed.end(topic, number)
                for topic in (names.outbox, names.history, names.dead_letters)
                for number in range(self.config.kafka.partitions)
            )


def command(job: Job, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the job's configuration."""
    line = [sys.executable, "-m", "headgate.cli.app", *words, "--config", str(job.path)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)


def headgate(job: Job, *words: str) -> Any:
    """Run a command and return its JSON."""
    done = command(job, *words, "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
