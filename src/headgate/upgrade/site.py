"""The cluster of an upgrade: its REST address, the client that submits, its TaskManagers."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headgate.config import Config, load
from headgate.errors import HeadgateError
from headgate.local import state_file
from headgate.local.rest import ENDED, POLL_SECONDS, FlinkRest, JobFailedError
from headgate.local.saved import folder_here, kept
from headgate.local.scale import want
from headgate.local.submit import Client, run
from headgate.sealing.known import know
from headgate.upgrade import job as jobs
from headgate.upgrade import verify
from headgate.upgrade.steps import JobBesideError, Marks, StepFailedError
from headgate.upgrade.version import Version

# Of Flink's own: the id of the job that is submitted. Made up beforehand, a submission that was
# cut short is found again, and the cluster refuses a second one.
JOB_ID = "$internal.pipeline.job-id"
# A JVM on a busy machine needs most of a minute until it is registered.
TASK_MANAGERS_SECONDS = 120.0
COMMAND_SECONDS = 600.0


class TaskManagersMissingError(HeadgateError):
    """Fewer TaskManagers are registered than the job has parts.

    Operator action: start as many as job.parallelism, then try again.
    """


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where jobs run, as `headgate.upgrade.steps` sees it.

    home: of the embedded stack, None for a cluster of one's own. restart: a command that replaces
    all TaskManagers of such a cluster, "" for none. savepoints: None for Flink's own setting.
    """

    rest: FlinkRest
    client: Client
    options: tuple[str, ...]
    home: Path | None
    restart: str
    savepoints: str | None
    patience: verify.Patience
    say: Callable[[str], None]

    def is_stopping(self, job: str, request: str) -> bool:
        """See `Site`."""
        return jobs.is_stopping(self.rest, job, request)

    def kept(self, job: str) -> str:
        """See `Site`. Of folders that this machine can read."""
        settings = self.rest.settings()
        savepoints = self.savepoints or settings.get("execution.checkpointing.savepoint-dir", "")
        checkpoints = settings.get("execution.checkpointing.dir", "")
        return kept(job, folder_here(savepoints), folder_here(checkpoints))

    def stop(self, job: str, request: str) -> str:
        """See `Site`."""
        return jobs.stop(self.rest, job, request, self.savepoints)

    def leave(self, job: str, request: str, *, by_savepoint: bool) -> str:
        """See `Site`."""
        return jobs.leave(self.rest, job, request, self.savepoints, by_savepoint=by_savepoint)

    def marks(self, version: Version) -> Marks:
        """See `Site`."""
        return verify.ends(_configured(version))

    def verify(self, job: str, version: Version, marks: Marks, *, has_run: bool) -> None:
        """See `Site`."""
        configured = _configured(version)
        verify.verify(self.rest, job, configured, marks, self.patience, has_run=has_run)

    def start(
        self, job: str, version: Version, restored: str, *, fresh: bool, reemit: bool
    ) -> None:
        """See `Site`."""
        if jobs.state_of(self.rest, job) is not None:
            return
        name = _configured(version).job.name
        beside = [each for each in self.running(name) if each != job]
        if beside:
            message = (
                f"job {beside[0]} of the name {name} runs, and was not started by this upgrade: "
                f"two would write into the same topics. End it, or leave the upgrade to it: run "
                "this command again, which looks anew at what runs."
            )
            raise JobBesideError(message)
        parallelism = _configured(version).job.parallelism
        try:
            if fresh:
                self.replace_task_managers()
            self.await_task_managers(parallelism)
            flags = ["--reemit"] if reemit else []
            environment = {**self.client.environment, **version.environment()}
            run(
                self.client._replace(environment=environment),
                Path(version.script),
                ["--config", version.config, *flags],
                *self.options,
                settings={**version.settings(), JOB_ID: job},
                restore_from=restored,
            )
        except (JobFailedError, TaskManagersMissingError, subprocess.SubprocessError) as error:
            # A client of an earlier try may have been faster.
            if jobs.state_of(self.rest, job) is None:
                raise StepFailedError(str(error)) from error

    def await_task_managers(self, count: int) -> None:
        """Have as many TaskManagers as parts; raises TaskManagersMissingError."""
        if self.home is not None:
            want(self.home, count)
        deadline = time.monotonic() + (TASK_MANAGERS_SECONDS if self.home else 0.0)
        while (there := self.rest.registered_task_managers()) < count:
            if time.monotonic() > deadline:
                message = (
                    f"job.parallelism is {count}, and {there} TaskManagers are registered: each "
                    "runs one part of the job, for its parts share one Python. Start more, or set "
                    f"job.parallelism = {max(1, there)}."
                )
                raise TaskManagersMissingError(message)
            time.sleep(POLL_SECONDS)

    def replace_task_managers(self) -> None:
        """Have TaskManagers that have loaded no Python module yet."""
        self.say("replacing the TaskManagers: they keep the modules that they have loaded")
        before = self._task_managers()
        if self.home is None:
            done = subprocess.run(
                shlex.split(self.restart),
                capture_output=True,
                text=True,
                check=False,
                timeout=COMMAND_SECONDS,
            )
            if done.returncode:
                message = f"`{self.restart}` ended with {done.returncode}: {done.stderr[-500:]}"
                raise StepFailedError(message)
        else:
            state = state_file.read(self.home)
            for name, pid in state.pids.items() if state else ():
                if name.startswith("taskmanager-"):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + TASK_MANAGERS_SECONDS
        while (now := self._task_managers()) & before or len(now) < len(before):
            if time.monotonic() > deadline:
                message = "the TaskManagers were not replaced in time: see their logs"
                raise StepFailedError(message)
            time.sleep(POLL_SECONDS)

    def missing(self, count: int) -> int:
        """Return how many TaskManagers fewer are registered than parts."""
        return max(0, count - self.rest.registered_task_managers())

    def state(self, job: str) -> str:
        """Return a job's state in Flink's words."""
        return jobs.state_of(self.rest, job) or "unknown to Flink"

    def running(self, name: str) -> list[str]:
        """Return the ids of the jobs of a name that have not ended."""
        return [
            job["id"]
            for job in self.rest.jobs()
            if job["name"] == name and job["state"] not in ENDED
        ]

    def _task_managers(self) -> set[str]:
        return {each["id"] for each in self.rest.get("/taskmanagers")["taskmanagers"]}


def _configured(version: Version) -> Config:
    """Return a version's configuration. From here on this process reads and writes Kafka's topics
    as that version has them sealed.
    """
    found = load(version.config)
    know(found.kafka.bootstrap, found)
    return found
