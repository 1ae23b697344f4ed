"""Stopping a job through a REST API that answers as Flink does; requests are counted."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.local.rest import FlinkUnreachableError
from headgate.upgrade import job
from headgate.upgrade.job import SavepointPendingError, is_stopping, leave, stop
from headgate.upgrade.steps import GoneError, StepFailedError

JOB, REQUEST, SAVEPOINT = "job", "a" * 32, "file:/savepoints/savepoint-1"


class Rest:
    """One job of Flink's; a request's outcome is known until `forget`."""

    def __init__(self, state: str | None = "RUNNING", *, fails: bool = False) -> None:
        self.now, self.fails = state, fails
        self.asked: dict[str, Any] = {}
        self.posts: list[Any] = []
        self.cancelled = 0
        self.latest: dict[str, Any] = {"completed": None, "savepoint": None}
        self.completed = 0
        self.failures: list[str] = []

    def state(self, _: str) -> str:
        if self.now is None:
            self._missing()
        return str(self.now)

    def get(self, path: str) -> Any:
        name = path.rpartition("/")[2]
        if name not in self.asked:
            self._missing()
        return self.asked[name]

    def request(self, method: str, path: str, body: Any) -> Any:
        self.posts.append((method, path, body))
        if self.fails:
            cause = {"stack-trace": "java.lang.Exception: no\nCaused by: java.io.IOException: full"}
            operation: dict[str, Any] = {"failure-cause": cause}
        else:
            operation, self.now = {"location": SAVEPOINT}, "FINISHED"
            self.latest["savepoint"] = {"external_path": SAVEPOINT}
        self.asked[body["triggerId"]] = {"status": {"id": "COMPLETED"}, "operation": operation}
        return {"request-id": body["triggerId"]}

    def is_running(self, _: str) -> bool:
        return self.now == "RUNNING"

    def checkpoints(self, _: str) -> Any:
        return {"counts": {"completed": self.completed}, "latest": self.latest}

    def exceptions(self, _: str) -> list[str]:
        return self.failures

    def cancel(self, _: str) -> None:
        self.cancelled += 1
        self.now = "CANCELED"

    def _missing(self) -> None:
        message = "not found"
        error = FlinkUnreachableError(message)
        error.status = 404
        raise error


def stopped(rest: Any) -> str:
    return stop(rest, JOB, REQUEST, None)


def test_asked_twice_there_is_one_savepoint() -> None:
    rest = Rest()
    assert stopped(rest) == stopped(rest) == SAVEPOINT
    assert rest.posts == [("POST", "/jobs/job/stop", {"drain": False, "triggerId": REQUEST})]
    # Flink forgets requests after five minutes, and jobs later.
    rest.asked.clear()
    assert stopped(rest) == SAVEPOINT
    assert len(rest.posts) == 1


def test_one_that_is_being_taken_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = Rest()
    under_way = {"status": {"id": "IN_PROGRESS"}}
    taken = {"status": {"id": "COMPLETED"}, "operation": {"location": SAVEPOINT}}
    answers = [under_way, under_way, taken]

    def get(_: str) -> Any:
        rest.now = "FINISHED" if len(answers) == 1 else "RUNNING"
        return answers.pop(0)

    monkeypatch.setattr(rest, "get", get)
    assert stopped(rest) == SAVEPOINT
    assert rest.posts == []


def test_a_savepoint_that_fails_leaves_the_job() -> None:
    with pytest.raises(StepFailedError, match=r"job job goes on: java.io.IOException: full"):
        stopped(Rest(fails=True))


@pytest.mark.parametrize("state", [None, "FAILED", "CANCELED"])
def test_what_has_ended_cannot_be_stopped(state: str | None) -> None:
    rest: Any = Rest(state)
    with pytest.raises(GoneError, match="nothing to stop"):
        stopped(rest)
    assert rest.posts == []
    assert is_stopping(rest, JOB, REQUEST)


def test_a_savepoint_that_takes_long_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job stops when it is there, whoever waits: it must not be taken for one that goes on."""
    monkeypatch.setattr(job, "SAVEPOINT_SECONDS", 0.0)
    rest: Any = Rest()
    assert not is_stopping(rest, JOB, REQUEST)
    rest.asked[REQUEST] = {"status": {"id": "IN_PROGRESS"}}
    with pytest.raises(SavepointPendingError, match="was not complete"):
        stopped(rest)
    assert is_stopping(rest, JOB, REQUEST)


def test_what_is_left_covers_what_became_visible() -> None:
    rest: Any = Rest(None)
    assert leave(rest, JOB, REQUEST, None, by_savepoint=True) == ""
    # It never completed a checkpoint: nothing of it is visible.
    rest = Rest()
    assert leave(rest, JOB, REQUEST, None, by_savepoint=True) == ""
    assert (rest.cancelled, rest.posts) == (1, [])
    rest = Rest()
    rest.completed = 3
    assert leave(rest, JOB, REQUEST, None, by_savepoint=True) == SAVEPOINT
    assert rest.cancelled == 0
    # It cannot be stopped any more: the newest checkpoint, which Flink keeps.
    rest = Rest()
    rest.failures.append("again and again")
    rest.completed, rest.latest["completed"] = 3, {"external_path": "file:/chk-3"}
    assert leave(rest, JOB, REQUEST, None, by_savepoint=True) == "file:/chk-3"
    assert rest.cancelled == 1
    # Asked again after it was cut short.
    assert leave(rest, JOB, REQUEST, None, by_savepoint=True) == "file:/chk-3"
    assert rest.cancelled == 1
