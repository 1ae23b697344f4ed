"""Whether a job does its work, against a broker and a Flink that show one thing at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Self, cast

import pytest

from headgate.config import Config
from headgate.local.rest import FlinkUnreachableError
from headgate.upgrade import verify as module
from headgate.upgrade.steps import StepFailedError
from headgate.upgrade.verify import Patience, verify
from headgate.v1.turn_pb2 import DeadLetter, JournalRecord, Tick

CONFIG = Config()
NAMES = CONFIG.topic_names
MARKS = tuple(
    (topic, partition, 5)
    for topic in (NAMES.journal, NAMES.dead_letters)
    for partition in range(CONFIG.kafka.partitions)
)
QUICK = Patience(within_seconds=0.3, watch_seconds=0.0)
TICK = JournalRecord(tick=Tick(nonce=b"n")).SerializeToString()


class Broker:
    """Topics of a job that ticks once it was asked: Gate greets Invoke with its first input."""

    def __init__(self) -> None:
        self.is_asked = False
        self.ticks, self.answers = True, True
        self.letters: list[DeadLetter] = []
        self.garbage: list[bytes] = []

    def __call__(self, *_: object, **__: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def end(self, topic: str, partition: int) -> int:
        """Return where a topic ends."""
        if topic == NAMES.dead_letters:
            return 5 + (len(self.garbage) + len(self.letters) if partition == 0 else 0)
        return 5 + len(self.garbage) + (1 if self.is_asked and self.ticks else 0)

    def records(self, topic: str, _: int, begin: int, end: int) -> list[Any]:
        """Return what stands there."""
        found = [each.SerializeToString() for each in self.letters]
        values = [*self.garbage, *(found if topic == NAMES.dead_letters else [TICK])]
        return [SimpleNamespace(value=each) for each in values[: end - begin]]

    def ask(self, *_: object, **__: object) -> int | None:
        """Answer for the job."""
        self.is_asked = True
        return 0 if self.answers else None


class Rest:
    """A job that runs and has completed a checkpoint."""

    def __init__(self) -> None:
        self.now, self.completed = "RUNNING", 1
        self.failures: list[str] = []

    def state(self, _: str) -> str:
        return self.now

    def is_running(self, _: str) -> bool:
        return self.now == "RUNNING"

    def exceptions(self, _: str) -> list[str]:
        return self.failures

    def checkpoints(self, _: str) -> Any:
        return {"counts": {"completed": self.completed}}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A broker with a job on it that does its work."""
    made = Broker()
    monkeypatch.setattr(module, "Spans", made)
    monkeypatch.setattr(module, "count_busy", made.ask)
    return made


def looked(rest: Any) -> None:
    verify(rest, "job", CONFIG, MARKS, QUICK)


def test_a_job_that_nobody_has_sent_anything_yet_works(broker: Broker) -> None:
    looked(Rest())
    assert broker.is_asked


def test_what_is_missing_is_said(broker: Broker) -> None:
    rest = Rest()
    rest.completed = 0
    with pytest.raises(StepFailedError, match="completes no checkpoint"):
        looked(rest)
    broker.ticks = False
    with pytest.raises(StepFailedError, match="no tick came into partition 0, 1, 2, 3"):
        looked(Rest())
    broker.answers = False
    with pytest.raises(StepFailedError, match="does not answer"):
        looked(Rest())


class Restarted(Rest):
    """A job that fails over while it is watched, and is back before anybody looks."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def exceptions(self, _: str) -> list[str]:
        self.looks += 1
        return ["java.lang.Exception: a\nCaused by: b.C: it cannot"] if self.looks > 4 else []


def test_a_failover_within_the_watch_is_seen_though_it_is_over(broker: Broker) -> None:
    watched = Patience(within_seconds=0.3, watch_seconds=0.2)
    rest: Any = Restarted()
    with pytest.raises(StepFailedError, match=r"was at work and has failed over: b\.C: it cannot"):
        verify(rest, "job", CONFIG, MARKS, watched)
    # A watch that ends at once would not have seen it.
    verify(cast(Any, Restarted()), "job", CONFIG, MARKS, QUICK)


def test_a_version_that_has_run_before_may_have_accidents_on_its_way_back(broker: Broker) -> None:
    watched = Patience(within_seconds=0.3, watch_seconds=0.2)
    verify(cast(Any, Restarted()), "job", CONFIG, MARKS, watched, has_run=True)
    often = Rest()
    often.failures = ["java.lang.Exception: a"] * 7
    with pytest.raises(StepFailedError, match="fails over and over"):
        verify(cast(Any, often), "job", CONFIG, MARKS, QUICK)
    verify(cast(Any, often), "job", CONFIG, MARKS, QUICK, has_run=True)
    often.now = "FAILED"
    with pytest.raises(StepFailedError, match="has ended"):
        verify(cast(Any, often), "job", CONFIG, MARKS, QUICK, has_run=True)


def test_a_job_that_flink_does_not_know_any_more_has_ended(broker: Broker) -> None:
    rest: Any = Rest()
    unknown = FlinkUnreachableError("Flink refused GET /jobs/job (404)")
    unknown.status = 404

    def missing(_: str) -> Any:
        raise unknown

    rest.state = rest.is_running = rest.exceptions = missing
    with pytest.raises(StepFailedError, match="Flink does not know it"):
        looked(rest)


def test_one_failure_is_an_accident_and_three_are_a_version(broker: Broker) -> None:
    rest = Rest()
    rest.failures = ["java.lang.Exception: a\nCaused by: b.C: it cannot"]
    looked(rest)
    rest.failures *= 3
    with pytest.raises(StepFailedError, match=r"over and over: b\.C: it cannot"):
        looked(rest)
    rest.now = "FAILED"
    with pytest.raises(StepFailedError, match="has ended"):
        looked(rest)


@pytest.mark.parametrize("reason", ["state_version", "bad_journal_record"])
def test_what_was_read_before_must_not_be_refused(broker: Broker, reason: str) -> None:
    broker.letters = [DeadLetter(reason="no_route")]
    looked(Rest())
    broker.letters.append(DeadLetter(reason=reason, address="order/17", message="version 2"))
    with pytest.raises(StepFailedError, match="order/17: version 2"):
        looked(Rest())


def test_what_somebody_else_has_written_there_is_passed_over(broker: Broker) -> None:
    broker.garbage = [b"\xff\xff", b"", b"\x0a\xff"]
    looked(Rest())
    broker.letters = [DeadLetter(reason="state_version", address="order/17", message="version 2")]
    with pytest.raises(StepFailedError, match="order/17: version 2"):
        looked(Rest())
