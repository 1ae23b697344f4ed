"""Flink's REST as it answered, read as facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from headgate.local.rest import FlinkRest
from headgate.ui.cluster import read_flink

NOW = 1_700_000_000_000
TRACE = """org.apache.flink.runtime.JobException: Recovery is suppressed
\tat org.apache.flink.Something.run(Something.java:1)
Caused by: java.lang.RuntimeException: Error received from worker
\t... 3 more
Caused by: java.io.IOException: disk full
\t... 9 more
"""


class Recorded(FlinkRest):
    """A JobManager's answers, as they were."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 1)
        self.task_managers = 2
        self.heartbeat_ms = NOW
        self.job_state = "RUNNING"
        self.tasks = "RUNNING"

    def request(
        self, method: str, path: str, body: Any = None, timeout_seconds: float = 10.0
    ) -> Any:
        job = "/jobs/abc"
        source = f"{job}/vertices/v1/subtasks/metrics"
        lag = "Source__events[1].pendingRecords"
        answers: dict[str, Any] = {
            "/overview": {"taskmanagers": self.task_managers},
            "/taskmanagers": {
                "taskmanagers": [
                    {"id": "a", "timeSinceLastHeartbeat": NOW},
                    {"id": "b", "timeSinceLastHeartbeat": self.heartbeat_ms},
                ]
            },
            "/jobmanager/config": [{"key": "heartbeat.interval", "value": "500"}],
            "/jobs/overview": {
                "jobs": [
                    {"jid": "old", "name": "headgate", "start-time": 1},
                    {"jid": "abc", "name": "headgate", "start-time": 2},
                    {"jid": "x", "name": "another", "start-time": 3},
                ]
            },
            job: {
                "state": self.job_state,
                "timestamps": {"RUNNING": 5},
                "vertices": [
                    {
                        "id": "v1",
                        "name": "Source: KafkaSource-default_catalog.default_database.x -> Calc[1]",
                        "status": self.tasks,
                        "parallelism": 2,
                    },
                    {"id": "v2", "name": "gate", "status": "RUNNING", "parallelism": 2},
                ],
            },
            f"{job}/checkpoints": {
                "counts": {"failed": 1},
                "latest": {
                    "completed": {
                        "latest_ack_timestamp": 70,
                        "end_to_end_duration": 30,
                        "state_size": 9,
                    },
                    "failed": {"failure_timestamp": 60, "failure_message": "slow"},
                },
            },
            f"{job}/checkpoints/config": {"interval": 1_000},
            f"{job}/exceptions": {
                "exceptionHistory": {"entries": [{"timestamp": 50, "stacktrace": TRACE}]}
            },
            f"{job}/metrics?get=numRestarts": [{"id": "numRestarts", "value": "3"}],
            source: [{"id": lag}, {"id": "numRecordsIn"}],
            f"{source}?get={lag}&agg=sum": [{"id": lag, "sum": 12.0}],
        }
        if path in answers:
            return answers[path]
        assert "busyTimeMsPerSecond" in path, path
        if "/v1/" in path:
            return [{"id": "busyTimeMsPerSecond", "max": "NaN"}]
        return [
            {"id": "busyTimeMsPerSecond", "max": 950.0},
            {"id": "backPressuredTimeMsPerSecond", "max": 0.0},
            {"id": "numRecordsInPerSecond", "sum": 40.5},
        ]


def test_the_newest_job_of_that_name_is_read() -> None:
    found = read_flink(Recorded(), "headgate", None, NOW)
    assert (found.job, found.state, found.since_ms, found.restarts) == ("abc", "RUNNING", 5, 3)
    assert (found.restarted_ms, found.restart_cause) == (50, "java.io.IOException: disk full")
    assert (found.checkpoint_ms, found.checkpoint_took_ms, found.checkpoint_bytes) == (70, 30, 9)
    assert (found.failed_checkpoint_ms, found.failed_checkpoint_why) == (60, "slow")
    assert (found.lag, found.lag_before) == (12, None)
    assert [each.name for each in found.vertices] == ["x", "gate"]
    assert [each.busy for each in found.vertices] == [None, 0.95]
    assert found.vertices[1].records_in == 40.5


def test_what_only_a_comparison_tells() -> None:
    rest = Recorded()
    before = replace(read_flink(rest, "headgate", None, NOW), lag=7)
    rest.task_managers = 1
    found = read_flink(rest, "headgate", before, NOW)
    assert (found.task_managers, found.expected_task_managers) == (1, 2)
    assert found.lag_before == 7


def test_a_task_manager_that_stopped_is_silent() -> None:
    rest = Recorded()
    assert read_flink(rest, "headgate", None, NOW).silent_since_ms == 0
    rest.heartbeat_ms = NOW - 6_000
    assert read_flink(rest, "headgate", None, NOW).silent_since_ms == NOW - 6_000


def test_a_job_whose_tasks_do_not_run_yet_is_starting() -> None:
    rest = Recorded()
    rest.tasks = "INITIALIZING"
    assert read_flink(rest, "headgate", None, NOW).state == "STARTING"
    rest.job_state = "RESTARTING"
    assert read_flink(rest, "headgate", None, NOW).state == "RESTARTING"
