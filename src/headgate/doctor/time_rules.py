"""Rules about time: transactions, retention, the age of what may be restored, clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from headgate.config.durations import format_duration
from headgate.doctor.facts import Facts, Finding, Severity, Topic
from headgate.repair.present import SKEW_MS

# A TaskManager that is replaced by a cold one costs 10.6 s (docs/benchmarks.md, outages), and a
# machine that reboots a minute or two.
SHORTEST_OUTAGE_SECONDS = 60.0
# An outage that begins in the evening is looked at in the morning.
SHORTEST_RETENTION_SECONDS = 24 * 3_600.0
# Invoke's ticks, by which Gate tells what time it is at the journal, are a second apart.
SKEW_SECONDS = 1.0
WORST_SKEW_SECONDS = SKEW_MS / 1_000


def transaction_broker(facts: Facts) -> Iterator[Finding]:
    """The broker allows the transaction timeout."""
    if facts.kafka is None:
        return
    text = facts.kafka.settings.get("transaction.max.timeout.ms")
    wanted = facts.config.job.transaction_timeout
    if text is not None and timedelta(milliseconds=int(text)) < wanted:
        allowed = format_duration(timedelta(milliseconds=int(text)))
        yield Finding(
            Severity.ERROR,
            "transaction-timeout-broker",
            f"job.transaction_timeout is {format_duration(wanted)}, the broker allows {allowed}",
            "The broker refuses the sinks' transactions: the job fails as soon as it starts.",
            f'Set job.transaction_timeout = "{allowed}", or raise transaction.max.timeout.ms of '
            "the brokers.",
        )


def transaction_short(facts: Facts) -> Iterator[Finding]:
    """The transaction timeout outlasts checkpoints and a usual outage."""
    job = facts.config.job
    running = facts.flink.job if facts.flink is not None else None
    interval = job.checkpoint_interval.total_seconds()
    slowest = running.slowest_seconds if running is not None else 0.0
    timeout = job.transaction_timeout.total_seconds()
    needed = interval + slowest + SHORTEST_OUTAGE_SECONDS
    if timeout < needed:
        yield Finding(
            Severity.ERROR if timeout < interval + slowest else Severity.WARNING,
            "transaction-timeout-short",
            f"job.transaction_timeout is {_shown(timeout)}; checkpoints ({_shown(interval)} apart, "
            f"{_shown(slowest)} long) and an outage of a minute need {_shown(needed)}",
            "Outputs whose transaction times out are aborted by the broker. After a longer outage "
            "the job refuses to be restored before `headgate repair` has made them again.",
            "Raise job.transaction_timeout, up to the broker's transaction.max.timeout.ms.",
        )


def checkpoint_old(facts: Facts) -> Iterator[Finding]:
    """The newest checkpoint's transactions can still be committed."""
    checkpoints = [point.age_seconds for point in facts.restore_points if not point.is_savepoint]
    timeout = facts.config.job.transaction_timeout.total_seconds()
    if checkpoints and min(checkpoints) > timeout:
        yield Finding(
            Severity.ERROR,
            "checkpoint-old",
            f"the newest checkpoint is {_shown(min(checkpoints))} old, job.transaction_timeout is "
            f"{_shown(timeout)}",
            "What the sinks had prepared since then the broker has aborted. Restored as it is, the "
            "job would leave a gap in outbox and history, and so refuses.",
            "See why no checkpoint completes, or start the job again; before that, `headgate "
            "repair` writes again what is missing.",
        )


def retention_restore(facts: Facts) -> Iterator[Finding]:
    """The journal reaches back as far as what may be restored."""
    if facts.kafka is None:
        return
    names = facts.config.topic_names
    logs = [facts.kafka.topics.get(name) for name in (names.journal, names.inbox)]
    kept_of = {log.name: _kept(log) for log in logs if log is not None and _kept(log) >= 0}
    shortest = min(kept_of, key=lambda name: kept_of[name], default=None)
    if shortest is None:
        return
    kept = kept_of[shortest]
    old = [point for point in facts.restore_points if point.age_seconds > kept]
    if not old:
        return
    is_all = len(old) == len(facts.restore_points)
    oldest = max(old, key=lambda point: point.age_seconds)
    shown = "every checkpoint and savepoint is" if is_all else f"{len(old)} to restore are"
    yield Finding(
        Severity.ERROR if is_all else Severity.WARNING,
        "retention-restore",
        f"{shortest} keeps {_shown(kept)}; {shown} older, such as {oldest.path} "
        f"({_shown(oldest.age_seconds)})",
        "Kafka may have deleted what it has not read yet; then the job refuses to start from it, "
        "for it would fork history.",
        "Lengthen retention.ms of journal and inbox, take a new savepoint, and delete those that "
        "nobody will restore.",
    )


def retention_short(facts: Facts) -> Iterator[Finding]:
    """An outage overnight is survived."""
    if facts.kafka is None:
        return
    names = facts.config.topic_names
    for name in (names.journal, names.inbox, *(topic.name for topic in facts.config.topics)):
        topic = facts.kafka.topics.get(name)
        kept = _kept(topic) if topic is not None else -1
        if 0 <= kept < SHORTEST_RETENTION_SECONDS:
            yield Finding(
                Severity.WARNING,
                "retention-short",
                f"{name} keeps {_shown(kept)}",
                "A job that is down for longer cannot go on from its checkpoint."
                if name in {names.journal, names.inbox}
                else "Events that the job has not read by then get no turn.",
                f"Raise its retention.ms to a day at least, better a week: {7 * 86_400_000}.",
            )
        if topic is not None and int(topic.settings.get("retention.bytes", -1)) >= 0:
            yield Finding(
                Severity.WARNING,
                "retention-bytes",
                f"{name} is bounded by retention.bytes={topic.settings['retention.bytes']}",
                "Under load it keeps less time than retention.ms promises, just when one needs it.",
                "Set its retention.bytes to -1, and size the disks (`headgate size`).",
            )


def clock_skew(facts: Facts) -> Iterator[Finding]:
    """Clocks agree."""
    for clock in facts.clocks:
        skew = abs(clock.ahead_seconds)
        if skew >= SKEW_SECONDS:
            direction = "ahead of" if clock.ahead_seconds > 0 else "behind"
            yield Finding(
                Severity.ERROR if skew >= WORST_SKEW_SECONDS else Severity.WARNING,
                "clock-skew",
                f"the clock of {clock.whose} is {skew:.1f} s {direction} this machine's",
                "A turn is dated by the broker's clock, timers and deadlines run by Flink's, and "
                "commands ask as of this machine's: timers come late, answers `--as-of` are of "
                "another moment; by more than a minute `headgate repair` looks in the wrong place.",
                "Let NTP keep the clocks of all machines.",
            )


def _kept(topic: Topic) -> float:
    """Return a topic's retention in seconds; -1 where it keeps all."""
    return int(topic.settings.get("retention.ms", -1)) / 1_000


def _shown(seconds: float) -> str:
    # Nobody needs the microseconds of a day.
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
