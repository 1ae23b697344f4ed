"""Rules about the job as it runs: its state, its checkpoints, and whether it is the one in
headgate.toml.
"""

from __future__ import annotations

from collections.abc import Iterator

from headgate.doctor.facts import Facts, Finding, Job, Severity

# Two kills are two accidents.
MANY_FAILURES = 3
# Flink remembers ten attempts; one that fails while a TaskManager is replaced is nobody's fault.
MANY_FAILED = 3
# Of the interval. A machine that is busy for a moment doubles a checkpoint.
SLOW = 3
# Below a second nobody waits for outputs, however short the interval is.
LEAST_SLOW_SECONDS = 1.0


def job_state(facts: Facts) -> Iterator[Finding]:
    """The job runs, and keeps running."""
    job = _job(facts)
    if job is None:
        return
    cause = job.failures[0] if job.failures else "see its exceptions on Flink's page"
    if job.state != "RUNNING":
        yield Finding(
            Severity.ERROR,
            "job-state",
            f"job {job.id} is {job.state}: {cause}",
            "No event gets a turn.",
            "Read the cause, mend it, and if it does not come back by itself start it from its "
            "newest checkpoint (docs/runbook.md).",
        )
    elif len(job.failures) >= MANY_FAILURES:
        yield Finding(
            Severity.WARNING,
            "job-restarts",
            f"the job was restarted {len(job.failures)} times in ten minutes, last because of: "
            f"{cause}",
            "Each time it reads again what came since the checkpoint, and outputs wait.",
            "Read the causes on Flink's page, and the TaskManagers' logs.",
        )


def checkpoints(facts: Facts) -> Iterator[Finding]:
    """Checkpoints complete, in time."""
    job = _job(facts)
    if job is None:
        return
    failed = sum(each == "FAILED" for each in job.attempts)
    is_failing = bool(job.attempts) and job.attempts[0] == "FAILED"
    if is_failing or failed >= MANY_FAILED:
        yield Finding(
            Severity.ERROR if is_failing else Severity.WARNING,
            "checkpoints-failing",
            f"{failed} of the last {len(job.attempts)} checkpoints failed"
            + ", the newest among them" * is_failing,
            "Outputs become visible with a checkpoint only, and what is restored gets older.",
            "See the failure on Flink's page (Checkpoints, History): storage that cannot be "
            "written, a broker that refuses to commit, or a task that stands still.",
        )
    if job.slowest_seconds > max(job.interval_seconds * SLOW, LEAST_SLOW_SECONDS):
        yield Finding(
            Severity.WARNING,
            "checkpoints-slow",
            f"nine of ten checkpoints take up to {job.slowest_seconds:.1f} s; they are meant to be "
            f"{job.interval_seconds:g} s apart",
            "Outputs are visible that much later, and a failover repeats more.",
            "Look for a TaskManager without CPU, for storage that is slow, or make "
            "job.checkpoint_interval longer.",
        )


def same_job(facts: Facts) -> Iterator[Finding]:
    """The job was started with this headgate.toml."""
    job = _job(facts)
    if job is None:
        return
    wanted = facts.config.job.checkpoint_interval.total_seconds()
    pairs = (
        ("job.checkpoint_interval", f"{wanted:g} s", f"{job.interval_seconds:g} s"),
        ("job.parallelism", str(facts.config.job.parallelism), str(job.parallelism)),
    )
    for key, here, there in pairs:
        if here != there:
            yield Finding(
                Severity.WARNING,
                "job-differs",
                f"{key} is {here} in headgate.toml, the job runs with {there}",
                "It was started with another file, or not anew since this one changed: what you "
                "read here is not what runs.",
                "`headgate upgrade` starts it anew from a savepoint with this file; or correct the "
                "file.",
            )


def state(facts: Facts) -> Iterator[Finding]:
    """State is kept where it has room, and survives the job."""
    job = _job(facts)
    if job is None or facts.flink is None:
        return
    if "RocksDB" not in job.state_backend:
        yield Finding(
            Severity.WARNING,
            "state-on-the-heap",
            f"the state backend is {job.state_backend}",
            "Mailboxes and long chats outgrow the heap: the TaskManager dies of it, and so does "
            "the one after it.",
            "Set state.backend.type: rocksdb.",
        )
    elif facts.flink.settings.get("execution.checkpointing.incremental", "false") != "true":
        yield Finding(
            Severity.WARNING,
            "checkpoints-whole",
            "execution.checkpointing.incremental is not true",
            "Each checkpoint uploads all state instead of what has changed.",
            "Set execution.checkpointing.incremental: true.",
        )
    if job.storage == "JobManagerCheckpointStorage":
        yield Finding(
            Severity.ERROR,
            "checkpoints-in-memory",
            "checkpoints are kept in the JobManager's memory",
            "When it ends, all state is gone, while journal and outbox stay.",
            "Set execution.checkpointing.dir to a place that every machine reads.",
        )
    elif not job.keeps_checkpoints:
        yield Finding(
            Severity.WARNING,
            "checkpoints-deleted",
            "Flink deletes the checkpoints of a job that is cancelled",
            "A cancel by mistake is the loss of all state.",
            "Set execution.checkpointing.externalized-checkpoint-retention: "
            "RETAIN_ON_CANCELLATION.",
        )


def _job(facts: Facts) -> Job | None:
    return facts.flink.job if facts.flink is not None else None
