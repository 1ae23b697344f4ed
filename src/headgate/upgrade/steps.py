"""The steps of an upgrade, and of its way back: which comes next, whatever a step ended in.

Rules:
- A step may be done twice: each looks first whether its earlier try was through. So a command that
  is killed anywhere is run again, and the upgrade ends as if nothing had happened.
- `StepFailedError` is the answer "no", and leads on: before the savepoint to `unchanged`, after it
  back to the old version. Whoever cannot be reached is no answer: that error ends the command, and
  the record stays where it is.
- What the new version left is where the old one goes on from, once it has completed a checkpoint:
  its outputs are visible then, and the first savepoint would write them a second time. Not where
  it writes state that the old one cannot read: then the first savepoint is left, with --reemit.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

from headgate.errors import HeadgateError
from headgate.upgrade.record import ENDS, Phase, Record
from headgate.upgrade.version import Version

Marks = tuple[tuple[str, int, int], ...]


class StepFailedError(HeadgateError):
    """A step of an upgrade could not be done; the way back begins.

    Operator action: read what was said of it; the job is where it was before, or the message says
    what to do.
    """


class GoneError(StepFailedError):
    """A job that was to be stopped does not run any more, and Flink names no savepoint of it.

    Operator action: the message says how it ended; the upgrade goes on from what it left on disk.
    """


class JobBesideError(HeadgateError):
    """Another job of the same name runs: it would write into the same topics.

    Operator action: end all but one, then run the command again.
    """


class Site(Protocol):
    """Where jobs run. Each method may be called again after an earlier call was cut short."""

    def is_stopping(self, job: str, request: str) -> bool:
        """Tell whether a job has been asked to stop, or does not run any more."""

    def stop(self, job: str, request: str) -> str:
        """Stop a job with a savepoint and return where it is.

        Raises GoneError if it had ended otherwise, StepFailedError if it goes on.
        """

    def kept(self, job: str) -> str:
        """Return the newest savepoint of a job that is still there, else its newest checkpoint; ""
        if nobody knows of one. For jobs that Flink has forgotten.
        """

    def marks(self, version: Version) -> Marks:
        """Return the ends (topic, partition, offset) of the topics that tell of a new life."""

    def start(
        self, job: str, version: Version, restored: str, *, fresh: bool, reemit: bool
    ) -> None:
        """Start a version as the job of this id.

        Raises StepFailedError if it is refused, JobBesideError while another one runs.
        """

    def verify(self, job: str, version: Version, marks: Marks, *, has_run: bool) -> None:
        """Wait until the job does its work; raises StepFailedError. has_run: its version did so
        before, and an accident is no reason to give it up.
        """

    def leave(self, job: str, request: str, *, by_savepoint: bool) -> str:
        """End a job, if it was started at all, and return what covers all that it made visible: a
        savepoint, else its newest checkpoint; "" if it completed none.
        """


def run(
    record: Record, site: Site, keep: Callable[[Record], None], say: Callable[[str], None]
) -> Record:
    """Take an upgrade to its end, wherever it stands; `keep` is called after each step."""
    while record.phase not in ENDS:
        record = _STEPS[record.phase](record, site, say)
        keep(record)
    return record


def turned_back(record: Record, why: str) -> Record:
    """Return a record that goes back from where it is, before its end."""
    if record.phase in {Phase.STARTING, Phase.VERIFYING}:
        return replace(record, phase=Phase.LEAVING, why=why)
    if record.phase is Phase.STOPPING:
        # Whether the job has been stopped only Flink can say.
        return replace(record, why=why)
    return record


def is_overtaken(record: Record, running: Collection[str]) -> bool:
    """Tell whether somebody else has started the job meanwhile: the upgrade is over then.

    running: ids of the jobs of the name.
    """
    return not {record.old_job, record.new_job, record.back_job}.issuperset(running)


def retried(record: Record, *, reemit: bool) -> Record:
    """Return a record whose way back failed, and is tried once more; what its job left counts."""
    leave, back = uuid.uuid4().hex, uuid.uuid4().hex
    return replace(
        record,
        phase=Phase.LEAVING,
        new=record.old if not _is_unreadable(record) else record.new,
        new_job=record.back_job,
        leave_id=leave,
        back_job=back,
        reemit=reemit or record.reemit,
    )


def _stop(record: Record, site: Site, say: Callable[[str], None]) -> Record:
    is_turned_back = bool(record.why)
    if is_turned_back and not site.is_stopping(record.old_job, record.stop_id):
        return replace(record, phase=Phase.UNCHANGED)
    say(f"stopping job {record.old_job} with a savepoint")
    try:
        savepoint = site.stop(record.old_job, record.stop_id)
    except GoneError as error:
        savepoint = site.kept(record.old_job)
        if not savepoint:
            return replace(record, phase=Phase.STUCK, why=str(error))
        say(f"{error}; going on from {savepoint}")
    except StepFailedError as error:
        return replace(record, phase=Phase.UNCHANGED, why=str(error))
    else:
        say(f"it stopped; its savepoint is {savepoint}")
    marks = site.marks(record.old)
    if is_turned_back:
        return replace(
            record, phase=Phase.RETURNING, savepoint=savepoint, back_from=savepoint, marks=marks
        )
    return replace(record, phase=Phase.STARTING, savepoint=savepoint, marks=marks)


def _start(record: Record, site: Site, say: Callable[[str], None]) -> Record:
    say(f"starting the new version as job {record.new_job}")
    try:
        site.start(
            record.new_job,
            record.new,
            record.savepoint,
            fresh=record.fresh,
            reemit=False,
        )
    except StepFailedError as error:
        return replace(record, phase=Phase.LEAVING, why=str(error))
    return replace(record, phase=Phase.VERIFYING)


def _verify(record: Record, site: Site, say: Callable[[str], None]) -> Record:
    say("looking whether it does its work")
    try:
        site.verify(record.new_job, record.new, record.marks, has_run=False)
    except StepFailedError as error:
        return replace(record, phase=Phase.LEAVING, why=str(error))
    return replace(record, phase=Phase.DONE)


def _leave(record: Record, site: Site, say: Callable[[str], None]) -> Record:
    say(f"going back: {record.why}")
    is_readable = not _is_unreadable(record)
    left = site.leave(record.new_job, record.leave_id, by_savepoint=is_readable)
    # A JobManager that was started anew knows nothing of it, and its checkpoints are there.
    left = left or site.kept(record.new_job) or record.left
    return replace(
        record,
        phase=Phase.RETURNING,
        left=left,
        back_from=left if left and is_readable else record.savepoint,
        marks=site.marks(record.old),
    )


def _return(record: Record, site: Site, say: Callable[[str], None]) -> Record:
    say(f"starting the old version as job {record.back_job}, from {record.back_from}")
    try:
        site.start(
            record.back_job,
            record.old,
            record.back_from,
            fresh=record.fresh,
            reemit=record.reemit and record.back_from == record.savepoint,
        )
    except StepFailedError as error:
        why = f"{record.why}\nThe way back: {error}"
        if record.back_from != record.savepoint:
            # A cluster that keeps no checkpoints of what is cancelled, say. The script refuses the
            # savepoint if outputs would be written again.
            return replace(record, back_from=record.savepoint, why=why)
        return replace(record, phase=Phase.STUCK, why=why)
    return replace(record, phase=Phase.CHECKING)


def _check(record: Record, site: Site, say: Callable[[str], None]) -> Record:
    say("looking whether it does its work")
    try:
        site.verify(record.back_job, record.old, record.marks, has_run=True)
    except StepFailedError as error:
        return replace(record, phase=Phase.STUCK, why=f"{record.why}\nThe way back: {error}")
    return replace(record, phase=Phase.WENT_BACK)


def _is_unreadable(record: Record) -> bool:
    """Tell whether the old version cannot read what the new one writes."""
    return record.new.state > record.old.state > 0


_STEPS: dict[Phase, Callable[[Record, Site, Callable[[str], None]], Record]] = {
    Phase.STOPPING: _stop,
    Phase.STARTING: _start,
    Phase.VERIFYING: _verify,
    Phase.LEAVING: _leave,
    Phase.RETURNING: _return,
    Phase.CHECKING: _check,
}
