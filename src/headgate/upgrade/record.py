"""What an upgrade has done so far, on disk before each step: whoever runs it again goes on there.

Rules:
- Whatever a step needs to be told apart from a repeat of it (job ids, the id of the savepoint's
  request) is made up before the first step and kept here.
- A file is replaced at once and written through: a killed command leaves the old one or the new.
- Configurations are copied beside it, readable by their owner alone: they may hold passwords.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from headgate.errors import HeadgateError
from headgate.local.lock import try_lock
from headgate.upgrade.version import Version

KEPT_COPIES = 10
# Flink's client of a command that was killed goes on without it, and holds the lock as well: what
# it submits is there before anyone looks.
LOCK_SECONDS = 60.0
POLL_SECONDS = 0.2


class UpgradeRunningError(HeadgateError):
    """Another `headgate upgrade` is at work on the same folder.

    Operator action: wait for it, or end it and run this one again: it goes on where that one was.
    """


class Phase(StrEnum):
    """Where an upgrade stands; the last four are ends."""

    STOPPING = "stopping"
    STARTING = "starting"
    VERIFYING = "verifying"
    LEAVING = "leaving"
    RETURNING = "returning"
    CHECKING = "checking"
    DONE = "done"
    UNCHANGED = "unchanged"
    WENT_BACK = "went back"
    STUCK = "stuck"


ENDS = frozenset({Phase.DONE, Phase.UNCHANGED, Phase.WENT_BACK, Phase.STUCK})


@dataclass(frozen=True, slots=True)
class Record:
    """One upgrade.

    savepoint: of the old job. left: what covers all that the new version made visible. back_from:
    which of the two the way back starts from. marks: the ends of journal and dead letters while no
    job ran. why: what made it go back, or not begin.
    """

    phase: Phase
    old_job: str
    old: Version
    new: Version
    stop_id: str
    new_job: str
    leave_id: str
    back_job: str
    fresh: bool = False
    reemit: bool = False
    savepoint: str = ""
    left: str = ""
    back_from: str = ""
    marks: tuple[tuple[str, int, int], ...] = ()
    why: str = ""

    @property
    def job(self) -> str:
        """The job that runs when it has ended; "" if none does."""
        ends = {Phase.DONE: self.new_job, Phase.WENT_BACK: self.back_job, Phase.STUCK: ""}
        return ends.get(self.phase, self.old_job)


@dataclass(frozen=True, slots=True)
class Current:
    """The job that runs by our last word, its version, and the one before it."""

    job: str
    version: Version
    before: Version | None = None


def plan(old_job: str, old: Version, new: Version, *, fresh: bool, reemit: bool) -> Record:
    """Return the record of an upgrade that has done nothing yet."""
    stop, job, leave, back = (uuid.uuid4().hex for _ in range(4))
    return Record(Phase.STOPPING, old_job, old, new, stop, job, leave, back, fresh, reemit)


class Folder:
    """Where records are kept: `upgrade/` below a stack's home, or any folder of this machine."""

    def __init__(self, home: Path) -> None:
        self._folder = home.resolve() / "upgrade"

    @contextmanager
    def locked(self, seconds: float = LOCK_SECONDS) -> Iterator[int]:
        """Keep others out, and give the lock's descriptor; raises UpgradeRunningError. It ends with
        the process, and with those that were given the descriptor.
        """
        self._make()
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + seconds
            while not try_lock(descriptor):
                if time.monotonic() > deadline:
                    message = f"another upgrade is at work in {self._folder}"
                    raise UpgradeRunningError(message)
                time.sleep(POLL_SECONDS)
            yield descriptor
        finally:
            os.close(descriptor)

    def record(self) -> Record | None:
        """Return the last upgrade, None if there was none."""
        found = self._read("record.json")
        if found is None:
            return None
        with self._understanding("record.json"):
            found["phase"] = Phase(found["phase"])
            found["old"], found["new"] = Version(**found["old"]), Version(**found["new"])
            found["marks"] = tuple((str(t), int(p), int(o)) for t, p, o in found["marks"])
            return Record(**found)

    def keep(self, record: Record) -> None:
        """Write down where an upgrade stands."""
        self._write("record.json", asdict(record))

    def current(self) -> Current | None:
        """Return what runs by our last word, None if nothing was written down."""
        found = self._read("current.json")
        if found is None:
            return None
        with self._understanding("current.json"):
            before = found["before"]
            return Current(
                found["job"], Version(**found["version"]), Version(**before) if before else None
            )

    def keep_current(self, current: Current) -> None:
        """Write down what runs."""
        self._write("current.json", asdict(current))

    def copied(self, version: Version) -> Version:
        """Copy a version's configuration, so that the way back outlives an edit of the file."""
        self._make()
        text = Path(version.config).read_bytes()
        copy = self._folder / f"{hashlib.sha256(text).hexdigest()[:16]}.toml"
        self._put(copy, text)
        copies = sorted(self._folder.glob("*.toml"), key=lambda each: each.stat().st_mtime_ns)
        # However old: the way back of tomorrow, and of an upgrade that was cut short.
        needed = self._needed()
        for stale in copies[:-KEPT_COPIES]:
            if str(stale) not in needed:
                stale.unlink()
        return replace(version, config=str(copy))

    def _needed(self) -> set[str]:
        record, current = self.record(), self.current()
        versions = [record.old, record.new] if record else []
        if current is not None:
            versions += [each for each in (current.version, current.before) if each]
        return {each.config for each in versions}

    @contextmanager
    def _understanding(self, name: str) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            message = (
                f"{self._folder / name} is of another version of Headgate ({error!r}): use that "
                "one, or move the file away to begin anew"
            )
            raise HeadgateError(message) from error

    def _make(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = dict(json.loads((self._folder / name).read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            message = f"{self._folder / name} cannot be read ({error}); move it away to begin anew"
            raise HeadgateError(message) from error
        return found

    def _write(self, name: str, value: dict[str, Any]) -> None:
        self._make()
        self._put(self._folder / name, (json.dumps(value, indent=2) + "\n").encode())

    def _put(self, path: Path, content: bytes) -> None:
        draft = path.with_name(f"{path.name}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


def upgraded(home: Path, job: str | None) -> str | None:
    """Return the job that runs in place of this one after upgrades; itself if there was none."""
    record = Folder(home).record()
    if record is None or job is None or record.phase not in ENDS:
        return job
    return record.job or job if job in {record.old_job, record.new_job, record.back_job} else job
