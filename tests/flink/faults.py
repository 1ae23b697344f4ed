"""A job in a world that fails: its lines to Kafka, its agent and the JobManager can be cut, its
disk filled, its clocks put. What came through is judged by the demo's verifier.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest

from headgate.bootstrap import Bootstrap
from headgate.config import load
from headgate.demo.verify import Finding, Published, check_history, check_outbox
from headgate.local import kafka
from headgate.local.jars import settings_folder
from headgate.local.ports import LOOPBACK, free_ports
from headgate.local.rest import FlinkUnreachableError
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.sdk import Agent, Event, RetryableError, Turn
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from headgate.testing.steady import Stream
from tests.flink.configured import headgate_toml
from tests.line import Line
from tests.put_clock import PutClock, build

JOB_SECONDS = 240.0
THROUGH_SECONDS = 100.0
POLL_SECONDS = 0.1
KEYS, RATE = 6, 30.0
# Of the stream before the fault and after it: something is in flight when it strikes, and goes on.
AROUND_SECONDS = 1.5
# As small as they need to be: the quicker they are full.
DISKS_MB = {"checkpoints": 48, "kafka": 256}
LATER_SECONDS = 3
# Duplicates may come after the last event's output: the second checkpoint has begun later.
SETTLING_CHECKPOINTS = 2

# Clients of this listener, the job's, are told the port of the line.
FRONT = """\
listeners=PLAINTEXT://{{host}}:{{broker}},FRONT://{{host}}:{port},CONTROLLER://{{host}}:{{controller}}
advertised.listeners=PLAINTEXT://{{host}}:{{broker}},FRONT://{{host}}:{told}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FRONT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
"""


@dataclass
class Counted:
    """How many events an instance has seen."""

    count: int = 0


def counter() -> Agent[Counted]:
    """Make an agent that counts; some events it wants later."""
    agent = Agent("counter", Counted)
    postponed: set[str] = set()

    @agent.on("*")
    def count(turn: Turn[Counted], event: Event) -> None:
        if event.data.get("later") and event.id not in postponed:
            postponed.add(event.id)
            message = "not yet"
            raise RetryableError(message, after=LATER_SECONDS)
        turn.state.count += 1
        turn.emit("counter.counted", {"count": turn.state.count})

    return agent


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a fault: wrong things; for how long nothing was decided (by the journal's
    clock); how long it took, from the mend on, until everything was visible; how often the job
    failed over.
    """

    findings: list[Finding]
    letters: int
    silent_seconds: float
    back_seconds: float
    failovers: int
    events: int


class Postponing(Stream):
    """Events to a few instances at a steady rate, of which some are wanted later."""

    def __init__(self, bootstrap: Bootstrap, name: str) -> None:
        keys = [f"{name}-{number}" for number in range(KEYS)]
        super().__init__(bootstrap, "events", "counter", keys, RATE)
        self._is_wished = self._is_later = False

    def postpone(self) -> None:
        """The next event of each instance is wanted later."""
        self._is_wished = True

    def data(self, number: int) -> dict[str, Any]:
        """Return the data of an event: one round of the instances is wanted later, or none is."""
        # Never the first round: it shows that they are there.
        if number and number % KEYS == 0:
            self._is_later, self._is_wished = self._is_wished, False
        return {**super().data(number), "later": self._is_later}


class FaultyStage:
    """Kafka, Flink, a job and an agent, with a line between each two."""

    def __init__(self, home: Path, heartbeat_timeout_ms: int) -> None:
        self._home = home
        self._open = ExitStack()
        self._heartbeat_timeout_ms = heartbeat_timeout_ms
        self._names = itertools.count(1)
        self.disks = {
            "checkpoints": home / "flink" / "checkpoints",
            "kafka": home / "kafka" / "data",
        }
        self.disk_problem = ""
        self.clocks: dict[str, PutClock] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for disk in self.disks:
                self._mount(disk, opening)
            broker, front, manager, worker = free_ports(4)
            line = opening.enter_context
            self.to_kafka = line(Line(f"{LOOPBACK}:{front}"))
            self.to_job_manager = line(Line(f"{LOOPBACK}:{manager}"))
            self.to_task_manager = line(Line(f"{LOOPBACK}:{worker}"))
            serving = opening.enter_context(Serving(counter()))
            self.to_agent = line(Line(serving.endpoint))
            settings = {
                # Each is known to the other by its line.
                "jobmanager.rpc.port": str(self.to_job_manager.port),
                "jobmanager.rpc.bind-port": str(manager),
                "taskmanager.rpc.port": str(self.to_task_manager.port),
                "taskmanager.rpc.bind-port": str(worker),
                "heartbeat.timeout": str(self._heartbeat_timeout_ms),
            }
            with pytest.MonkeyPatch.context() as patch:
                more = FRONT.format(port=front, told=self.to_kafka.port)
                patch.setattr(kafka, "PROPERTIES", kafka.PROPERTIES + more)
                self.stack = opening.enter_context(
                    LocalStack(self._home, flink_settings=settings, kafka_port=broker)
                )
            self._kafka_properties = more
            path = self._home / "headgate.toml"
            text = headgate_toml(self.to_kafka.endpoint, "counter", self.to_agent.endpoint)
            path.write_text(text, encoding="utf-8")
            script = settings_folder().parent / "jobs" / "agent_runtime.py"
            self.job = submit(self.stack.flink, script, ["--config", str(path)])
            self.stack.flink.rest.await_running(self.job, JOB_SECONDS)
            # The test has a way of its own.
            seen = self._home / "seen.toml"
            straight = str(self.stack.kafka.bootstrap)
            seen.write_text(text.replace(self.to_kafka.endpoint, straight), encoding="utf-8")
            self.records = opening.enter_context(Records(load(seen)))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # -------------------------------------------------------------------------------- the faults

    def fill(self, disk: str) -> Callable[[], None]:
        """Fill a disk; return what makes room again."""
        # Beside Kafka's folders of partitions: it minds names that it does not know.
        filler = self.disks[disk] / ".filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass  # no space left: as wanted

        return filler.unlink

    def take_clocks(self) -> bool:
        """Start Kafka and the TaskManager anew, each with a clock of `clocks`; False where there is
        nothing to build these with.
        """
        library = build(self._home)
        if library is None:
            return False
        for name in ("kafka", "taskmanager"):
            self.clocks[name] = PutClock(library, self._home / f"clock-{name}")
        self.stack.flink.environment.update(self.clocks["taskmanager"].environment)
        self.stack.kafka.kill()
        self.start_kafka(self.clocks["kafka"].environment)
        self.stack.kill_task_manager()
        self.await_running()
        return True

    def start_kafka(self, environment: Mapping[str, str] | None = None) -> None:
        """Start Kafka again, as it was."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kafka, "PROPERTIES", kafka.PROPERTIES + self._kafka_properties)
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            self.stack.kafka.start()

    # ------------------------------------------------------------------------------ the judgement

    def play(self, fault: Callable[[Postponing], None]) -> Told:
        """Let events flow, do harm to the job meanwhile, and judge when all have come through."""
        rest = self.stack.flink.rest
        before = len(rest.exceptions(self.job))
        name = f"fault-{next(self._names)}"
        with Postponing(self.stack.kafka.bootstrap, name) as stream:
            self._await_turns(stream.addresses, name)
            fault(stream)
            mended = time.monotonic()
            time.sleep(AROUND_SECONDS)
            published = stream.finish()
        addresses = set(published.order)
        self._await_through(published)
        back = time.monotonic() - mended
        self._settle()
        with self.records._changed:
            history = [
                turn for address in addresses for turn in self.records.history_of.get(address, ())
            ]
            outbox = [each for a in addresses for each in self.records.outbox_of.get(a, ())]
            letters = sum(letter.address in addresses for letter in self.records.letter_records)
        times = sorted(record.journal_ms for record in history)
        return Told(
            findings=[*check_history(published, history), *check_outbox(published, outbox)],
            letters=letters,
            silent_seconds=max(b - a for a, b in pairwise(times)) / 1_000,
            back_seconds=back,
            failovers=len(rest.exceptions(self.job)) - before,
            events=published.count,
        )

    def _await_turns(self, addresses: Sequence[str], name: str) -> None:
        """Wait until each instance of a stream has taken a turn."""
        self.records.await_found(
            lambda: all(self.records.history_of.get(each) for each in addresses),
            f"the first turns of {name}",
        )

    def await_end_of_kafka(self) -> None:
        """Wait until the broker has ended by itself."""
        self._await(lambda: self.stack.kafka.pid is None, "the end of Kafka")

    def await_failed_checkpoint(self) -> None:
        """Wait until a checkpoint fails that has not begun yet."""
        rest = self.stack.flink.rest
        first = rest.checkpoints(self.job)["counts"]["failed"]
        self._await(
            lambda: rest.checkpoints(self.job)["counts"]["failed"] > first, "a failed checkpoint"
        )

    def await_running(self) -> None:
        """Wait until all of the job runs, and completes a checkpoint."""
        self._await(lambda: self.stack.flink.rest.is_running(self.job), "a running job")
        self._settle()

    def _await_through(self, published: Published) -> None:
        def is_through() -> bool:
            taken = (
                ref.id
                for address in published.order
                for turn in self.records.history_of.get(address, ())
                for ref in turn.outcome.taken
            )
            outputs = sum(len(self.records.outbox_of.get(each, ())) for each in published.order)
            return len(set(taken)) >= published.count and outputs >= published.count

        # Two pauses of half a minute are the longest that a part of the job makes by itself.
        self._await(is_through, f"the rest of {published.count} events", THROUGH_SECONDS)

    def _settle(self) -> None:
        first = self._completed()
        self._await(
            lambda: self._completed() >= first + SETTLING_CHECKPOINTS, "the next checkpoints"
        )

    def _completed(self) -> int:
        return int(self.stack.flink.rest.checkpoints(self.job)["counts"]["completed"])

    def _await(self, is_there: Callable[[], bool], what: str, seconds: float = JOB_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if is_there():
                    return
            except FlinkUnreachableError:
                pass
            assert time.monotonic() < deadline, f"{what} did not come"
            time.sleep(POLL_SECONDS)

    def _mount(self, disk: str, opening: ExitStack) -> None:
        path = self.disks[disk]
        path.mkdir(parents=True)
        size = f"size={DISKS_MB[disk]}m"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self.disk_problem = done.stderr.strip() or "mount failed"
            return
        opening.callback(subprocess.run, ["umount", "-l", str(path)], check=False)
