"""What is wrong with the cluster: what cannot be read, the job, TaskManagers, checkpoints, lag,
history. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.ui.facts import Facts, FlinkFact
from headgate.ui.problem import Problem, short

RESTARTED_MS = 5 * 60_000
"""A restart is told for so long: it is over, and its cause is worth a look."""
CHECKPOINT_LATE_TIMES, CHECKPOINT_LATE_MS = 5, 10_000
"""A checkpoint every second is late after five of them, but nobody minds within ten seconds."""
LAG_LEAST = 500
HISTORY_BEHIND = 5_000


def cluster_problems(facts: Facts) -> Iterator[Problem]:
    """Yield what is wrong with what everything runs on."""
    yield from _unreadable(facts)
    yield from _flink(facts)
    yield from _history(facts)


def _unreadable(facts: Facts) -> Iterator[Problem]:
    for source, why in sorted(facts.unreadable.items()):
        yield Problem(
            f"unreadable:{source}",
            "bad",
            f"{source} cannot be read: {why}",
            0,
            "What is shown of it is as it was. See that it runs: `headgate status`.",
            "/cluster",
        )


def _flink(facts: Facts) -> Iterator[Problem]:
    flink = facts.flink
    if flink is None:
        return
    if flink.state != "RUNNING":
        yield Problem(
            "job",
            "bad",
            f"The Flink job {'is ' + flink.state if flink.state else 'is not there'}: "
            "no turn is taken"
            f"{short(': ' + flink.restart_cause) if flink.restart_cause else ''}",
            flink.since_ms,
            "While RESTARTING it does so by itself; else read the cause and submit it again.",
            "/cluster",
        )
    if flink.silent_since_ms and flink.task_managers >= flink.expected_task_managers:
        yield Problem(
            "taskmanagers",
            "bad",
            f"A TaskManager has stopped: no heartbeat for "
            f"{(facts.now_ms - flink.silent_since_ms) // 1_000} s",
            flink.silent_since_ms,
            "Flink gives it up after heartbeat.timeout. End its process to be faster.",
            "/cluster",
        )
    if flink.task_managers < flink.expected_task_managers:
        yield Problem(
            "taskmanagers",
            "bad",
            f"{flink.task_managers} of {flink.expected_task_managers} TaskManagers are there: "
            "one has stopped or cannot be reached",
            flink.restarted_ms,
            "Start it again. The job goes on where the last checkpoint was.",
            "/cluster",
        )
    elif flink.state == "RUNNING" and facts.now_ms - flink.restarted_ms <= RESTARTED_MS:
        yield Problem(
            "restarted",
            "warn",
            f"The job restarted ({flink.restarts} times in its life)"
            f"{short(': ' + flink.restart_cause) if flink.restart_cause else ''}",
            flink.restarted_ms,
            "Nothing is lost. If it repeats, the cause and the TaskManager's log say why.",
            "/cluster",
        )
    yield from _checkpoints(flink, facts.now_ms)
    lag = flink.lag or 0
    if lag >= LAG_LEAST and flink.lag_before is not None and lag > flink.lag_before:
        yield Problem(
            "lag",
            "warn",
            f"{lag:,} records wait in the topics, and they become more",
            0,
            "More comes than is taken: see which operator is busy or held back.",
            "/cluster",
        )


def _checkpoints(flink: FlinkFact, now_ms: int) -> Iterator[Problem]:
    if flink.failed_checkpoint_ms > flink.checkpoint_ms:
        yield Problem(
            "checkpoint",
            "bad",
            f"The last checkpoint failed{short(': ' + flink.failed_checkpoint_why)}",
            flink.failed_checkpoint_ms,
            "Outputs become visible with the next good one. See that its storage can be written.",
            "/cluster",
        )
        return
    late_ms = max(CHECKPOINT_LATE_MS, CHECKPOINT_LATE_TIMES * flink.checkpoint_interval_ms)
    started_ms = flink.checkpoint_ms or flink.since_ms
    if flink.state == "RUNNING" and started_ms and now_ms - started_ms > late_ms:
        yield Problem(
            "checkpoint",
            "warn",
            f"No checkpoint for {(now_ms - started_ms) // 1_000} s",
            started_ms,
            "Outputs wait for it. Back-pressure or slow storage holds it up.",
            "/cluster",
        )


def _history(facts: Facts) -> Iterator[Problem]:
    if facts.history_problem:
        yield Problem(
            "history",
            "bad",
            f"The history does not go on: {facts.history_problem}",
            0,
            "Turns go on. Read the history service's log; it goes on where it was.",
            "/cluster",
        )
    elif (facts.history_behind or 0) > HISTORY_BEHIND:
        yield Problem(
            "history",
            "warn",
            f"The history is {facts.history_behind:,} records behind",
            0,
            "Timelines and states show what was until then.",
            "/cluster",
        )
