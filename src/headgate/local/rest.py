"""Flink's REST API, as far as the stack, the demo and the tests need it."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

from headgate.errors import HeadgateError

POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 10.0
PROBE_SECONDS = 0.5
TRIES = 3
ENDED = frozenset({"FAILED", "CANCELED", "FINISHED", "SUSPENDED"})


class FlinkUnreachableError(HeadgateError):
    """Flink's REST API refused a request or did not answer.

    Operator action: see whether the JobManager runs, and read its log.
    """

    status = 0
    """Of HTTP, where there was an answer."""


class JobFailedError(HeadgateError):
    """A job did not reach the state it was awaited in.

    Operator action: read the cause in the message, then the TaskManager's log.
    """


class FlinkRest:
    """A client of one JobManager."""

    def __init__(self, host: str, port: int) -> None:
        """Connect lazily: every request opens its own connection."""
        self._host = host
        self._port = port

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self._host}:{self._port}"

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Any:
        """Send one request and return the decoded answer."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_seconds)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8")
        except (OSError, http.client.HTTPException) as error:
            message = f"Flink at {self._host}:{self._port} does not answer {path}: {error}"
            raise FlinkUnreachableError(message) from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            message = f"Flink refused {method} {path} ({answer.status}): {text[:2000]}"
            refusal = FlinkUnreachableError(message)
            refusal.status = answer.status
            raise refusal
        return json.loads(text) if text else None

    def get(self, path: str) -> Any:
        """Return the decoded answer to a GET."""
        return self.request("GET", path)

    def registered_task_managers(self) -> int:
        """Return how many TaskManagers are registered, 0 while the JobManager does not answer."""
        try:
            # A JobManager that is still starting may hold a request until its own timeout of 10 s.
            found = self.request("GET", "/overview", timeout_seconds=PROBE_SECONDS)
            return int(found["taskmanagers"])
        except FlinkUnreachableError:
            return 0

    def settings(self) -> dict[str, str]:
        """Return the settings that the JobManager was started with, by their keys."""
        return {each["key"]: each["value"] for each in self.get("/jobmanager/config")}

    def jobs(self) -> list[dict[str, Any]]:
        """Return id, name and state of every job the cluster remembers."""
        jobs: list[dict[str, Any]] = self.get("/jobs/overview")["jobs"]
        return [{"id": job["jid"], "name": job["name"], "state": job["state"]} for job in jobs]

    def state(self, job: str) -> str:
        """Return a job's state in Flink's words: RUNNING, RESTARTING, FAILED, ..."""
        return str(self.get(f"/jobs/{job}")["state"])

    def is_running(self, job: str) -> bool:
        """Tell whether every task of the job runs (a job is RUNNING before its tasks are)."""
        found = self.get(f"/jobs/{job}")
        tasks = [vertex["status"] for vertex in found["vertices"]]
        return found["state"] == "RUNNING" and all(task == "RUNNING" for task in tasks)

    def await_running(self, job: str, timeout_seconds: float = 120.0) -> None:
        """Wait until every task of the job runs; raises JobFailedError if it ends instead."""
        self._await(job, lambda: self.is_running(job), "RUNNING", timeout_seconds)

    def checkpoints(self, job: str) -> dict[str, Any]:
        """Return Flink's checkpoint statistics: `counts`, `summary`, `latest`, `history`."""
        # Two who ask at the same time for the same summary: Flink makes its percentiles for the
        # first one, and answers the second one with an error if they are half made.
        for _ in range(TRIES - 1):
            try:
                return self._checkpoints(job)
            except FlinkUnreachableError as error:
                if error.status != http.client.INTERNAL_SERVER_ERROR:
                    raise
            time.sleep(POLL_SECONDS)
        return self._checkpoints(job)

    def _checkpoints(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/jobs/{job}/checkpoints")
        return found

    def exceptions(self, job: str) -> list[str]:
        """Return the stack traces of the job's failures, the newest first."""
        history = self.get(f"/jobs/{job}/exceptions")["exceptionHistory"]
        return [entry["stacktrace"] for entry in history["entries"]]

    def metrics(self, path: str, *names: str) -> dict[str, str]:
        """Return the named metrics below `path`, e.g. `/jobs/<id>/vertices/<id>/subtasks`."""
        found = self.get(f"{path}/metrics?get={','.join(names)}")
        return {metric["id"]: metric.get("value", "") for metric in found}

    def cancel(self, job: str, timeout_seconds: float = 60.0) -> None:
        """Cancel a job and wait until it has ended."""
        self.request("PATCH", f"/jobs/{job}?mode=cancel")
        self._await(job, lambda: self.state(job) in ENDED, "CANCELED", timeout_seconds)

    def stop_with_savepoint(self, job: str, folder: str, timeout_seconds: float = 60.0) -> str:
        """Stop a job with a savepoint below `folder` and return the savepoint's address."""
        body = {"targetDirectory": folder, "drain": False}
        trigger = self.request("POST", f"/jobs/{job}/stop", body)["request-id"]
        return self._await_savepoint(job, trigger, timeout_seconds)

    def savepoint(self, job: str, folder: str, timeout_seconds: float = 60.0) -> str:
        """Take a savepoint below `folder`, let the job run on, return the savepoint's address."""
        body = {"target-directory": folder, "cancel-job": False}
        trigger = self.request("POST", f"/jobs/{job}/savepoints", body)["request-id"]
        return self._await_savepoint(job, trigger, timeout_seconds)

    def _await_savepoint(self, job: str, trigger: str, timeout_seconds: float) -> str:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            found = self.get(f"/jobs/{job}/savepoints/{trigger}")
            if found["status"]["id"] == "COMPLETED":
                operation = found["operation"]
                if "location" in operation:
                    return str(operation["location"])
                cause = operation["failure-cause"]["stack-trace"]
                message = f"the savepoint of job {job} failed: {cause[:2000]}"
                raise JobFailedError(message)
            time.sleep(POLL_SECONDS)
        message = f"the savepoint of job {job} was not complete after {timeout_seconds:.0f} s"
        raise JobFailedError(message)

    def _await(
        self, job: str, is_there: Callable[[], bool], wanted: str, timeout_seconds: float
    ) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not is_there():
            state = self.state(job)
            if state in ENDED or time.monotonic() > deadline:
                if is_there():
                    return
                causes = self.exceptions(job)
                cause = f": {causes[0][:2000]}" if causes else ""
                message = f"job {job} is {state} instead of {wanted}{cause}"
                raise JobFailedError(message)
            time.sleep(POLL_SECONDS)
