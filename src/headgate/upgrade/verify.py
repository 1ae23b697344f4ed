"""Whether a job does its work: it runs, completes a checkpoint, ticks, answers, refuses nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from headgate.config import Config
from headgate.core.batch import records_in
from headgate.flink.refusal import REASON
from headgate.kafka.inspect import count_busy
from headgate.kafka.letters import letter_in
from headgate.kafka.span import Spans
from headgate.local.cause import last_cause
from headgate.local.rest import ENDED, POLL_SECONDS, FlinkRest
from headgate.upgrade.job import completed, state_of
from headgate.upgrade.steps import Marks, StepFailedError
from headgate.v1.turn_pb2 import JournalRecord

# A TaskManager that is lost just now is an accident, and the job goes on; the same failure three
# times over is a version that cannot run.
FAILURES = 3
# Of a record that a version cannot read: state of a newer one, or a journal that is not its own.
REFUSALS = frozenset({REASON, "bad_journal_record"})
PROBE_SECONDS = 10.0
NAMED = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the job may need until it does its work, and is watched then, seconds."""

    within_seconds: float = 180.0
    watch_seconds: float = 5.0


def verify(
    rest: FlinkRest,
    job: str,
    config: Config,
    marks: Marks,
    patience: Patience,
    *,
    has_run: bool = False,
) -> None:
    """Wait until a job does its work, and watch it for a while.

    marks: the ends of journal and dead letters before it was started. has_run: this version has
        done its work before, so that a failover is an accident: it is not watched for any.

    Raises:
        StepFailedError: it does not; the message says which of it.
    """
    deadline = time.monotonic() + patience.within_seconds
    failures = math.inf if has_run else FAILURES
    _await_checkpoint(rest, job, deadline, failures)
    # In this order: Gate greets Invoke with its first input, and a job that nobody has sent
    # anything yet has none but the question.
    _await_answer(rest, job, config, deadline, failures)
    _await_ticks(config, marks, deadline)
    if has_run:
        _assert_nothing_refused(config, marks)
        return
    until = time.monotonic() + patience.watch_seconds
    before = rest.exceptions(job)
    while True:
        _assert_alive(rest, job, failures)
        now = rest.exceptions(job)
        # A restart is over before anyone looks again.
        if now != before or state_of(rest, job) != "RUNNING":
            why = f": {last_cause(now[0])}" if now else ""
            _fail(f"job {job} was at work and has failed over{why}")
        _assert_nothing_refused(config, marks)
        if time.monotonic() > until:
            return
        time.sleep(min(1.0, patience.watch_seconds))


def ends(config: Config) -> Marks:
    """Return the ends of journal and dead letters."""
    names = config.topic_names
    with Spans(config.kafka.bootstrap, is_read_committed=False) as spans:
        return tuple(
            (topic, partition, spans.end(topic, partition))
            for topic in (names.journal, names.dead_letters)
            for partition in range(config.kafka.partitions)
        )


def _await_checkpoint(rest: FlinkRest, job: str, deadline: float, failures: float) -> None:
    while True:
        # First: of a job that it does not know Flink answers nothing else.
        _assert_alive(rest, job, failures)
        if rest.is_running(job) and completed(rest, job):
            return
        if time.monotonic() > deadline:
            told = (
                "it runs and completes no checkpoint"
                if rest.is_running(job)
                else f"it is {rest.state(job)}, not all of its tasks run"
            )
            causes = rest.exceptions(job)
            why = f"; it failed with {last_cause(causes[0])}" if causes else ""
            _fail(f"job {job} is not through its start in time: {told}{why}")
        time.sleep(POLL_SECONDS)


def _assert_alive(rest: FlinkRest, job: str, failures: float) -> None:
    state = state_of(rest, job)
    causes = rest.exceptions(job) if state is not None else []
    why = f": {last_cause(causes[0])}" if causes else ""
    if state is None or state in ENDED:
        _fail(f"job {job} has ended ({state or 'Flink does not know it'}){why}")
    if len(causes) >= failures:
        _fail(f"job {job} fails over and over{why}")


def _await_ticks(config: Config, marks: Marks, deadline: float) -> None:
    """Wait for a tick in each partition of the journal: Gate has greeted Invoke, which writes."""
    journal = config.topic_names.journal
    silent = {partition: offset for topic, partition, offset in marks if topic == journal}
    with Spans(config.kafka.bootstrap, is_read_committed=False) as spans:
        while True:
            for partition, begin in list(silent.items()):
                end = spans.end(journal, partition)
                records = spans.records(journal, partition, begin, end)
                if any(_has_tick(record.value or b"") for record in records):
                    del silent[partition]
                else:
                    silent[partition] = end
            if not silent:
                return
            if time.monotonic() > deadline:
                named = ", ".join(map(str, sorted(silent)))
                _fail(f"no tick came into partition {named} of {journal}: Invoke does not write")
            time.sleep(POLL_SECONDS)


def _has_tick(value: bytes) -> bool:
    try:
        return any(JournalRecord.FromString(raw).HasField("tick") for raw in records_in(value))
    except DecodeError:
        # Somebody else's, which the job sets aside.
        return False


def _await_answer(
    rest: FlinkRest, job: str, config: Config, deadline: float, failures: float
) -> None:
    """Ask each shard a question that changes nothing: through inbox, Gate and answers."""
    asked = next(iter(config.agents), "headgate")
    while True:
        left = max(1.0, deadline - time.monotonic())
        found = count_busy(
            config.kafka.bootstrap, config, asked, wait_seconds=min(PROBE_SECONDS, left)
        )
        if found is not None:
            return
        _assert_alive(rest, job, failures)
        if time.monotonic() > deadline:
            _fail(f"job {job} runs, and does not answer a question about its instances")


def _assert_nothing_refused(config: Config, marks: Marks) -> None:
    refused = _refused(config, marks)
    if refused:
        named = "; ".join(refused[:NAMED])
        _fail(f"{len(refused)} inputs were refused that the version before could read: {named}")


def _refused(config: Config, marks: Marks) -> Sequence[str]:
    topic = config.topic_names.dead_letters
    found: list[str] = []
    # What is not committed yet counts as well: it will be.
    with Spans(config.kafka.bootstrap, is_read_committed=False) as spans:
        for name, partition, begin in marks:
            if name != topic:
                continue
            for record in spans.records(topic, partition, begin, spans.end(topic, partition)):
                letter = letter_in(record.value or b"")
                if letter is not None and letter.reason in REFUSALS:
                    found.append(f"{letter.address or 'a record'}: {letter.message}")
    return found


def _fail(message: str) -> None:
    raise StepFailedError(message)
