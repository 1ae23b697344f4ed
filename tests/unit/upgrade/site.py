"""A cluster in memory: jobs, savepoints and TaskManagers as an upgrade sees them, and kills."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.upgrade.steps import GoneError, Marks, StepFailedError
from headgate.upgrade.version import Version


class KilledError(BaseException):
    """The command is gone, as by SIGKILL: nothing of it runs on."""


@dataclass
class FakeSite:
    """Jobs by id, with the version and the savepoint that each was started from.

    broken: configurations that do not work, by what goes wrong: "submit", "verify", "checkpoint"
    (it works for a while), "stop". kill_at: the how many-th thing done is the last one; `late`
    whether it was done. lost: how the names of what cannot be restored begin. disk: what jobs have
    left there.
    """

    broken: dict[str, str] = field(default_factory=dict)
    kill_at: int = 0
    is_late: bool = False
    jobs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    restored: dict[str, tuple[str, bool]] = field(default_factory=dict)
    saved: dict[str, str] = field(default_factory=dict)
    done: int = 0
    verified: dict[str, bool] = field(default_factory=dict)
    lost: str = "nothing"
    disk: dict[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Be a cluster whose JobManager was started anew: what is on disk is all there is."""
        self.jobs.clear()
        self.saved.clear()

    def is_stopping(self, job: str, request: str) -> bool:
        """Tell whether it was asked to stop."""
        return request in self.saved or self.jobs.get(job) != "RUNNING"

    def kept(self, job: str) -> str:
        """Return what it left on disk."""
        return self.disk.get(job, "")

    def stop(self, job: str, request: str) -> str:
        """Take one savepoint for each request."""
        if request not in self.saved:
            if self.jobs.get(job) != "RUNNING":
                message = f"{job} does not run"
                raise GoneError(message)
            if self.broken.get(self.versions[job]) == "stop":
                message = "no savepoint"
                raise StepFailedError(message)
            with_kills = self._begin()
            self.saved[request] = self.disk[job] = f"savepoint of {job}"
            self.jobs[job] = "FINISHED"
            self._end(with_kills)
        return self.saved[request]

    def marks(self, version: Version) -> Marks:
        """Return something to keep."""
        return (("journal", 0, len(self.jobs)),)

    def start(
        self, job: str, version: Version, restored: str, *, fresh: bool, reemit: bool
    ) -> None:
        """Start it once; two at a time must never be."""
        if job in self.jobs:
            return
        assert not self.running(), "two versions at once"
        if self.broken.get(version.config) == "submit" or restored.startswith(self.lost):
            message = "the script refuses"
            raise StepFailedError(message)
        with_kills = self._begin()
        self.jobs[job], self.versions[job] = "RUNNING", version.config
        self.restored[job] = restored, reemit
        self._end(with_kills)

    def verify(self, job: str, version: Version, marks: Marks, *, has_run: bool) -> None:
        """Tell whether it works; note whether its version has run before."""
        self.verified[job] = has_run
        self._end(self._begin())
        if job not in self.jobs:
            message = "Flink does not know it"
            raise StepFailedError(message)
        assert self.jobs[job] == "RUNNING"
        if self.broken.get(version.config) in {"verify", "checkpoint"}:
            message = "it does not work"
            raise StepFailedError(message)

    def leave(self, job: str, request: str, *, by_savepoint: bool) -> str:
        """End it; what it made visible is covered."""
        if job not in self.jobs:
            return ""
        with_kills = self._begin()
        has_checkpoint = self.broken.get(self.versions[job]) != "verify"
        self.jobs[job] = "CANCELED"
        self._end(with_kills)
        return f"checkpoint of {job}" if has_checkpoint else ""

    def running(self) -> list[str]:
        """Return the versions that run."""
        return [self.versions[job] for job, state in self.jobs.items() if state == "RUNNING"]

    def _begin(self) -> bool:
        self.done += 1
        if self.done == self.kill_at and not self.is_late:
            raise KilledError
        return self.done == self.kill_at

    def _end(self, is_killed: bool) -> None:
        if is_killed:
            raise KilledError
