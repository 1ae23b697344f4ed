"""Flink's REST as facts: the job's state, restarts, checkpoints, lag, and how busy its operators
are."""

from __future__ import annotations

from typing import Any

from headgate.local.cause import last_cause
from headgate.local.rest import FlinkRest
from headgate.ui.facts import FlinkFact, Vertex

SILENT_MS, SILENT_BEATS = 4_000, 3
"""A TaskManager that collects garbage misses a beat or two, on a busy machine for a second or
two."""
_SHARES = ("busyTimeMsPerSecond", "backPressuredTimeMsPerSecond", "numRecordsInPerSecond")


def read_flink(rest: FlinkRest, job_name: str, before: FlinkFact | None, now_ms: int) -> FlinkFact:
    """Return how cluster and job are.

    job_name: the job that is meant where the cluster has several; of those the newest.
    before: the last look: what only a comparison tells is compared with it.

    Raises:
        FlinkUnreachableError: the JobManager does not answer.
    """
    cluster = rest.get("/overview")
    expected = max(cluster["taskmanagers"], before.expected_task_managers if before else 0)
    silent = _silent_since(rest, now_ms)
    jobs = rest.get("/jobs/overview")["jobs"]
    own = [job for job in jobs if job["name"] == job_name] or jobs
    if not own:
        return FlinkFact(
            task_managers=cluster["taskmanagers"],
            expected_task_managers=expected,
            silent_since_ms=silent,
        )
    newest = max(own, key=lambda job: job["start-time"])
    job = newest["jid"]
    found = rest.get(f"/jobs/{job}")
    checkpoints = rest.checkpoints(job)
    config = rest.get(f"/jobs/{job}/checkpoints/config")
    failures = rest.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
    completed = checkpoints["latest"].get("completed") or {}
    failed = checkpoints["latest"].get("failed") or {}
    metrics = rest.metrics(f"/jobs/{job}", "numRestarts")
    lag = _lag(rest, job, found["vertices"])
    return FlinkFact(
        job=job,
        state=_state(found),
        since_ms=_since(found),
        task_managers=cluster["taskmanagers"],
        expected_task_managers=expected,
        silent_since_ms=silent,
        restarts=int(float(metrics.get("numRestarts", "0") or 0)),
        restarted_ms=failures[0]["timestamp"] if failures else 0,
        restart_cause=last_cause(failures[0]["stacktrace"]) if failures else "",
        checkpoint_ms=completed.get("latest_ack_timestamp", 0),
        checkpoint_took_ms=completed.get("end_to_end_duration", 0),
        checkpoint_bytes=completed.get("state_size", 0),
        checkpoints_failed=checkpoints["counts"]["failed"],
        checkpoint_interval_ms=config.get("interval", 1_000),
        failed_checkpoint_ms=failed.get("failure_timestamp", 0) or 0,
        failed_checkpoint_why=failed.get("failure_message", "") or "",
        lag=lag,
        lag_before=before.lag if before else None,
        vertices=tuple(_vertex(rest, job, each) for each in found["vertices"]),
    )


def _silent_since(rest: FlinkRest, now_ms: int) -> int:
    beats = [each["timeSinceLastHeartbeat"] for each in rest.get("/taskmanagers")["taskmanagers"]]
    settings = rest.settings()
    # Flink's default is 10 s; a number alone is milliseconds.
    interval = str(settings.get("heartbeat.interval", "10000")).removesuffix("ms").strip()
    interval_ms = (
        1_000 * int(interval[:-1]) if interval.endswith("s") else int(_number(interval) or 10_000)
    )
    oldest = min(beats, default=0)
    # The name is Flink's: it is the time of the last heartbeat.
    return oldest if now_ms - oldest > max(SILENT_MS, SILENT_BEATS * interval_ms) else 0


def _state(found: Any) -> str:
    """The job is RUNNING for Flink before its tasks are: no turn is taken until they run."""
    tasks = {vertex["status"] for vertex in found["vertices"]}
    is_starting = found["state"] == "RUNNING" and tasks - {"RUNNING", "FINISHED"}
    return "STARTING" if is_starting else str(found["state"])


def _since(found: Any) -> int:
    stamps = found.get("timestamps", {})
    return int(stamps.get(found["state"], 0) or found.get("start-time", 0))


def _vertex(rest: FlinkRest, job: str, vertex: Any) -> Vertex:
    path = (
        f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics?get={','.join(_SHARES)}&agg=max,sum"
    )
    metrics = {each["id"]: each for each in rest.get(path)}
    busy, held = (_share(metrics.get(name, {}).get("max")) for name in _SHARES[:2])
    return Vertex(
        name=_name(vertex["name"]),
        status=vertex["status"],
        parallelism=vertex["parallelism"],
        busy=busy,
        back_pressured=held,
        records_in=_number(metrics.get(_SHARES[2], {}).get("sum")) or 0.0,
    )


def _lag(rest: FlinkRest, job: str, vertices: list[Any]) -> int | None:
    """Records that the sources know of and have not read; None where none says so (yet)."""
    told = None
    for vertex in vertices:
        if "Source" not in vertex["name"]:
            continue
        path = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
        names = [each["id"] for each in rest.get(path) if each["id"].endswith("pendingRecords")]
        if names:
            found = rest.get(f"{path}?get={','.join(names)}&agg=sum")
            told = (told or 0) + sum(int(_number(each.get("sum")) or 0) for each in found)
    return told


def _name(chain: str) -> str:
    """Return what people call an operator: the first of its chain, without the planner's catalogue.

    >>> _name("Source: KafkaSource-default_catalog.default_database.headgate_journal -> Calc[8]")
    'headgate_journal'
    """
    return chain.partition(" -> ")[0].rpartition(".")[2]


def _share(ms_per_second: object) -> float | None:
    number = _number(ms_per_second)
    return None if number is None else min(1.0, number / 1_000)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    # NaN: a task that is starting.
    return number if number == number else None  # noqa: PLR0124
