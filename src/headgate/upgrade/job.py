"""A job through Flink's REST API: ended with a savepoint, once, however often it is asked for."""

from __future__ import annotations

import time
from typing import Any

from headgate.errors import HeadgateError
from headgate.local.cause import last_cause
from headgate.local.rest import ENDED, POLL_SECONDS, FlinkRest, FlinkUnreachableError
from headgate.upgrade.steps import GoneError, StepFailedError

NOT_FOUND = 404
# Flink forgets the outcome of a request after five minutes; the job's own statistics stay longer.
SAVEPOINT_SECONDS = 300.0
# A savepoint that failed restarts the job from its newest checkpoint.
BACK_SECONDS = 120.0


class SavepointPendingError(HeadgateError):
    """A job was asked to stop with a savepoint, and is not through with it.

    Operator action: see *Checkpoints* on Flink's page, then run the command again: it goes on
    waiting. With --back it goes back once the savepoint is there.
    """


def state_of(rest: FlinkRest, job: str) -> str | None:
    """Return a job's state in Flink's words, None if Flink does not know it."""
    try:
        return rest.state(job)
    except FlinkUnreachableError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def stop(rest: FlinkRest, job: str, request: str, folder: str | None) -> str:
    """Stop a job with a savepoint below `folder` (None: Flink's own setting) and return where.

    request: an id of 32 hexadecimal digits; the same one again asks for no second savepoint.

    Raises:
        StepFailedError: the job goes on.
        GoneError: it had ended otherwise.
        SavepointPendingError: neither, yet.
    """
    asked = _asked(rest, job, request)
    if asked is None:
        state = state_of(rest, job)
        if state == "FINISHED":
            return _from_statistics(rest, job)
        if state is None or state in ENDED:
            told = "unknown to Flink" if state is None else state
            message = f"job {job} is {told}: there is nothing to stop with a savepoint"
            raise GoneError(message)
        body: dict[str, Any] = {"drain": False, "triggerId": request}
        if folder:
            body["targetDirectory"] = folder
        rest.request("POST", f"/jobs/{job}/stop", body)
    deadline = time.monotonic() + SAVEPOINT_SECONDS
    while time.monotonic() < deadline:
        asked = _asked(rest, job, request)
        if asked is not None and asked["status"]["id"] == "COMPLETED":
            operation = asked["operation"]
            if "location" in operation:
                _await_end(rest, job, deadline)
                return str(operation["location"])
            cause = operation["failure-cause"]["stack-trace"]
            _await_back(rest, job)
            message = f"the savepoint failed, and job {job} goes on: {last_cause(cause)}"
            raise StepFailedError(message)
        time.sleep(POLL_SECONDS)
    message = (
        f"the savepoint of job {job} was not complete after {SAVEPOINT_SECONDS:.0f} s, and the job "
        "stops when it is: see *Checkpoints* on Flink's page, then run this again"
    )
    raise SavepointPendingError(message)


def is_stopping(rest: FlinkRest, job: str, request: str) -> bool:
    """Tell whether a job was asked to stop by this request, or does not run any more."""
    if _asked(rest, job, request) is not None:
        return True
    return state_of(rest, job) in {None, *ENDED}


def leave(
    rest: FlinkRest, job: str, request: str, folder: str | None, *, by_savepoint: bool
) -> str:
    """End a job and return what covers all that it made visible; "" if that is nothing."""
    state = state_of(rest, job)
    if state is None:
        return ""
    # One that has failed may do so again amid its savepoint, which would be waited for in vain.
    is_well = state == "RUNNING" and completed(rest, job) and not rest.exceptions(job)
    if by_savepoint and (state == "FINISHED" or is_well):
        try:
            return stop(rest, job, request, folder)
        except StepFailedError:
            # Its savepoints do not end, say: that is why it is left.
            state = state_of(rest, job)
    if state not in ENDED:
        rest.cancel(job)
    newest = rest.checkpoints(job)["latest"]["completed"]
    return str(newest["external_path"]) if newest else ""


def completed(rest: FlinkRest, job: str) -> int:
    """Return how many checkpoints a job has completed in this life."""
    return int(rest.checkpoints(job)["counts"]["completed"])


def _asked(rest: FlinkRest, job: str, request: str) -> Any:
    try:
        return rest.get(f"/jobs/{job}/savepoints/{request}")
    except FlinkUnreachableError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def _from_statistics(rest: FlinkRest, job: str) -> str:
    found = rest.checkpoints(job)["latest"]["savepoint"]
    if not found or not found.get("external_path"):
        message = f"job {job} has finished, and Flink names no savepoint of it"
        raise GoneError(message)
    return str(found["external_path"])


def _await_end(rest: FlinkRest, job: str, deadline: float) -> None:
    while state_of(rest, job) not in {None, *ENDED}:
        if time.monotonic() > deadline:
            message = f"job {job} has its savepoint and does not end: see Flink's page"
            raise SavepointPendingError(message)
        time.sleep(POLL_SECONDS)


def _await_back(rest: FlinkRest, job: str) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while not rest.is_running(job) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
