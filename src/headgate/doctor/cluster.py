"""Facts from Flink's REST API: TaskManagers, the job, its checkpoints."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headgate.config import Config
from headgate.doctor.facts import Clock, Flink, Job, RestorePoint, TaskManager
from headgate.local.cause import last_cause
from headgate.local.rest import ENDED, FlinkRest
from headgate.local.saved import folder_here, has_read

RECENT_MS = 10 * 60 * 1_000
CAUSE_CHARACTERS = 200


def look_at_flink(rest: FlinkRest, config: Config) -> Flink:
    """Return what Flink says; raises FlinkUnreachableError."""
    overview = rest.get("/overview")
    managers = rest.get("/taskmanagers")["taskmanagers"]
    return Flink(
        version=overview["flink-version"],
        task_managers=tuple(
            TaskManager(each["id"], each["slotsNumber"], each["freeSlots"]) for each in managers
        ),
        settings=rest.settings(),
        job=_job(rest, config.job.name),
    )


def clock_of(rest: FlinkRest, job: str) -> Clock:
    """Compare the JobManager's clock with this machine's."""
    before = time.time()
    now_ms = rest.get(f"/jobs/{job}")["now"]
    after = time.time()
    return Clock("Flink's JobManager", ahead_of(now_ms / 1_000, before, after))


def ahead_of(told: float, before: float, after: float) -> float:
    """Return by how much a clock that was read between two moments is ahead for sure, in seconds.

    >>> ahead_of(105.0, 100.0, 101.0), ahead_of(100.5, 100.0, 101.0), ahead_of(90.0, 100.0, 101.0)
    (4.0, 0.0, -10.0)
    """
    if told > after:
        return told - after
    return min(0.0, told - before)


def restore_points(rest: FlinkRest, flink: Flink, journal: str) -> tuple[RestorePoint, ...]:
    """Return the newest checkpoint, and the savepoints that Flink or this machine's disk know, of
    the job that reads a journal.
    """
    found: dict[str, RestorePoint] = {}
    now = time.time()
    if flink.job is not None:
        latest = rest.checkpoints(flink.job.id)["latest"]
        for kind in ("completed", "savepoint", "restored"):
            point = latest.get(kind)
            when = point and (point.get("latest_ack_timestamp") or point.get("trigger_timestamp"))
            if point and when and not (kind == "restored" and not point.get("is_savepoint")):
                path = str(point.get("external_path"))
                is_savepoint = bool(point.get("is_savepoint"))
                found[_plain(path)] = RestorePoint(path, now - when / 1_000, is_savepoint)
    for point in on_disk(flink.settings, journal, now):
        # A newer checkpoint takes the place of those before it.
        if point.is_savepoint or not any(not each.is_savepoint for each in found.values()):
            found.setdefault(_plain(point.path), point)
    return tuple(found.values())


def on_disk(settings: Mapping[str, str], journal: str, now: float) -> Iterator[RestorePoint]:
    """Yield savepoints, and the newest checkpoint, of the job that reads a journal, below folders
    that this machine can read.
    """
    savepoints = folder_here(settings.get("execution.checkpointing.savepoint-dir", ""))
    checkpoints = folder_here(settings.get("execution.checkpointing.dir", ""))
    if savepoints is not None:
        for metadata in savepoints.glob("*/_metadata"):
            if has_read(metadata, journal):
                yield _point(metadata, now, is_savepoint=True)
    if checkpoints is not None:
        # Complete once it has its metadata, which Flink writes last.
        complete = checkpoints.glob("*/chk-*/_metadata")
        points = (_point(each, now, False) for each in complete if has_read(each, journal))
        newest = min(points, key=lambda point: point.age_seconds, default=None)
        if newest is not None:
            yield newest


def _point(metadata: Path, now: float, is_savepoint: bool) -> RestorePoint:
    return RestorePoint(
        metadata.parent.as_uri(), max(0.0, now - metadata.stat().st_mtime), is_savepoint
    )


def _plain(url: str) -> str:
    # Flink writes file:/x where Python writes file:///x.
    return urlsplit(url).path or url


def _job(rest: FlinkRest, name: str) -> Job | None:
    """Return the job of that name: the one that has not ended, else the newest."""
    jobs = [job for job in rest.get("/jobs/overview")["jobs"] if job["name"] == name]
    jobs.sort(key=lambda job: (job["state"] not in ENDED, job["start-time"]))
    if not jobs:
        return None
    job = jobs[-1]["jid"]
    told = rest.get(f"/jobs/{job}")
    checkpoints = rest.checkpoints(job)
    configured = rest.get(f"/jobs/{job}/checkpoints/config")
    gate = next((v for v in told["vertices"] if v["name"].startswith("gate")), None)
    return Job(
        id=job,
        state=told["state"],
        parallelism=gate["parallelism"] if gate else 0,
        interval_seconds=configured["interval"] / 1_000,
        state_backend=configured.get("state_backend") or "",
        storage=configured.get("checkpoint_storage") or "",
        keeps_checkpoints=configured["externalization"]["enabled"]
        and not configured["externalization"]["delete_on_cancellation"],
        # Those that Flink did not even begin, while tasks start, are in no history.
        attempts=tuple(
            each["status"] for each in checkpoints["history"] if each["status"] != "IN_PROGRESS"
        ),
        slowest_seconds=_p90(checkpoints),
        failures=tuple(_failures(rest, job, told["now"])),
        gates=_gates(rest, job, gate["id"]) if gate else {},
    )


def _p90(checkpoints: Mapping[str, Any]) -> float:
    found = checkpoints["summary"]["end_to_end_duration"].get("p90")
    # "NaN" before the first one.
    return float(found) / 1_000 if found not in {None, "NaN"} else 0.0


def _failures(rest: FlinkRest, job: str, now_ms: int) -> Iterator[str]:
    for entry in rest.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]:
        if now_ms - entry["timestamp"] < RECENT_MS:
            trace = str(entry.get("stacktrace") or entry.get("exceptionName"))
            yield last_cause(trace)[:CAUSE_CHARACTERS]


def _gates(rest: FlinkRest, job: str, vertex: str) -> Mapping[str, int]:
    tasks = rest.get(f"/jobs/{job}/vertices/{vertex}")["subtasks"]
    # One that has no place yet is nowhere, not beside others.
    running = [task for task in tasks if task["status"] == "RUNNING"]
    return Counter(task.get("taskmanager-id") or task.get("endpoint") for task in running)
