"""Facts out of Flink's answers, as Flink 2.3.0 gives them, and out of folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.config import Config
from headgate.doctor.broker import topic_of
from headgate.doctor.cluster import look_at_flink, on_disk, restore_points
from headgate.doctor.facts import Flink
from headgate.local.rest import FlinkRest

JOURNAL = Config().topic_names.journal
NOW_MS = 1_800_000_000_000
TRACE = (
    "org.apache.flink.runtime.JobException: Recovery is suppressed\n\tat a.B.c(B.java:1)\n"
    "Caused by: java.io.IOException: disk\n\tat d.E\nCaused by: java.net.Timeout: broker 1 away\n"
)


class Answers:
    """FlinkRest, as far as facts are asked for, over recorded answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = [self.job_of("old", "FAILED", 5), self.job_of("new", "RUNNING", 3)]
        self.failures: list[dict[str, Any]] = []
        self.history = ["IN_PROGRESS", "COMPLETED", "FAILED"]

    @staticmethod
    def job_of(job: str, state: str, started: int) -> dict[str, Any]:
        return {"jid": job, "name": "headgate", "state": state, "start-time": started}

    def checkpoints(self, job: str) -> Any:
        return self.get(f"/jobs/{job}/checkpoints")

    def settings(self) -> dict[str, str]:
        return FlinkRest.settings(cast("FlinkRest", self))

    def get(self, path: str) -> Any:
        job = path.split("/")[2] if path.startswith("/jobs/") else ""
        point = {"external_path": f"file:{self.folder}/cp/j/chk-9", "is_savepoint": False}
        found = {
            "/overview": {"flink-version": "2.3.0"},
            "/taskmanagers": {"taskmanagers": [{"id": "tm", "slotsNumber": 2, "freeSlots": 1}]},
            "/jobmanager/config": [
                {
                    "key": "execution.checkpointing.savepoint-dir",
                    "value": f"file://{self.folder}/sp",
                }
            ],
            f"/jobs/{job}": {
                "state": {"new": "RUNNING", "old": "FAILED"}.get(job),
                "now": NOW_MS,
                "vertices": [
                    {"id": "s", "name": "Source", "parallelism": 1},
                    {"id": "g", "name": "gate -> (Sink)", "parallelism": 2},
                ],
            },
            f"/jobs/{job}/checkpoints/config": {
                "interval": 1_000,
                "state_backend": "EmbeddedRocksDBStateBackend",
                "checkpoint_storage": "FileSystemCheckpointStorage",
                "externalization": {"enabled": True, "delete_on_cancellation": False},
            },
            f"/jobs/{job}/checkpoints": {
                "history": [{"status": each} for each in self.history],
                "summary": {"end_to_end_duration": {"p90": 360.0}},
                "latest": {
                    "completed": {**point, "latest_ack_timestamp": 1_000},
                    "savepoint": None,
                    "restored": None,
                },
            },
            f"/jobs/{job}/exceptions": {"exceptionHistory": {"entries": self.failures}},
            f"/jobs/{job}/vertices/g": {
                "subtasks": [
                    {"taskmanager-id": "tm", "status": "RUNNING"},
                    {"taskmanager-id": "tm", "status": "RUNNING"},
                    {"taskmanager-id": "(unassigned)", "status": "SCHEDULED"},
                    {"taskmanager-id": "(unassigned)", "status": "SCHEDULED"},
                ]
            },
        }
        return {"jobs": self.jobs} if path == "/jobs/overview" else found[path]


@pytest.fixture
def rest(tmp_path: Path) -> Answers:
    return Answers(tmp_path)


def look(rest: Answers) -> Flink:
    return look_at_flink(cast(FlinkRest, rest), Config())


def test_the_job_that_runs_is_looked_at(rest: Answers) -> None:
    found = look(rest)
    job = found.job
    assert job is not None
    assert (job.id, job.state, job.parallelism, job.gates) == ("new", "RUNNING", 2, {"tm": 2})
    # What is under way has not failed.
    assert job.attempts == ("COMPLETED", "FAILED")
    assert (job.interval_seconds, job.slowest_seconds, job.keeps_checkpoints) == (1.0, 0.36, True)
    assert [(each.slots, each.free) for each in found.task_managers] == [(2, 1)]


def test_without_one_that_runs_it_is_the_newest_and_others_jobs_are_nobodys(rest: Answers) -> None:
    rest.jobs = [rest.job_of("old", "FAILED", 5), {**rest.job_of("new", "RUNNING", 6), "name": "x"}]
    found = look(rest).job
    assert found is not None
    assert found.id == "old"
    rest.jobs = []
    assert look(rest).job is None


def test_failures_are_those_of_the_last_minutes_by_their_last_cause(rest: Answers) -> None:
    rest.failures = [
        {"timestamp": NOW_MS - 1_000, "stacktrace": TRACE},
        {"timestamp": NOW_MS - 2_000, "stacktrace": "org.x.Lost: gone\n\tat y"},
        {"timestamp": NOW_MS - 3_600_000, "stacktrace": "org.x.Old: long ago"},
    ]
    job = look(rest).job
    assert job is not None
    assert job.failures == ("java.net.Timeout: broker 1 away", "org.x.Lost: gone")


def metadata(folder: Path, journal: str) -> Path:
    """Make a checkpoint as far as it is looked at: whose it is, it says itself."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "_metadata"
    written.write_bytes(len(journal).to_bytes(2, "big") + journal.encode())
    return written


def test_what_can_be_restored_is_the_newest_checkpoint_and_all_savepoints(
    rest: Answers, tmp_path: Path
) -> None:
    for name in ("sp/a", "sp/b", "sp/unfinished"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("sp/a", "sp/b"):
        metadata(tmp_path / name, JOURNAL)
    metadata(tmp_path / "sp/another job's", "other.journal")
    os.utime(tmp_path / "sp/a/_metadata", (1, 1))
    found = restore_points(cast(FlinkRest, rest), look(rest), JOURNAL)
    assert {Path(each.path).name for each in found if each.is_savepoint} == {"a", "b"}
    assert [each.path for each in found if not each.is_savepoint] == [f"file:{tmp_path}/cp/j/chk-9"]
    assert max(each.age_seconds for each in found if each.is_savepoint) > 1e9


def test_of_checkpoints_on_disk_the_newest_complete_one_counts(tmp_path: Path) -> None:
    for number, at in ((1, 100), (2, 200)):
        os.utime(metadata(tmp_path / "job" / f"chk-{number}", JOURNAL), (at, at))
    os.utime(metadata(tmp_path / "standby" / "chk-9", "standby.journal"), (220, 220))
    (tmp_path / "job" / "chk-3").mkdir()
    settings = {"execution.checkpointing.dir": tmp_path.as_uri()}
    [found] = on_disk(settings, JOURNAL, now=250.0)
    assert (Path(found.path).name, found.age_seconds, found.is_savepoint) == ("chk-2", 50.0, False)
    assert list(on_disk({"execution.checkpointing.dir": "s3://flink/cp"}, JOURNAL, now=250.0)) == []


def test_the_worst_partition_speaks_for_a_topic() -> None:
    def partition(leader: int, replicas: int, in_sync: int) -> dict[str, Any]:
        return {
            "leader_id": leader,
            "replica_nodes": list(range(replicas)),
            "isr_nodes": list(range(in_sync)),
        }

    parts = [partition(1, 3, 3), partition(-1, 3, 1), partition(2, 2, 2)]
    found = topic_of({"name": "t", "partitions": parts}, {"a": "b"})
    assert (found.partitions, found.replicas, found.in_sync, found.leaderless) == (3, 2, 1, 1)
