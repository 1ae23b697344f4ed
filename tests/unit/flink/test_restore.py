"""Whose checkpoint it is: one of another job is neither chosen nor restored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from headgate.config import Config
from headgate.flink import restore
from headgate.flink.restore import ForeignCheckpointError, check_restore
from headgate.local.saved import kept, newest_checkpoint
from headgate.repair.checkpoint import Checkpoint, Prepared
from headgate.repair.gaps import Survey

JOURNAL = Config().topic_names.journal


def test_a_checkpoint_of_another_job_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = Checkpoint("file:///chk-9", 9, {("standby.journal", 0): 4}, ())
    monkeypatch.setattr(restore, "read_checkpoint", lambda _: foreign)
    for flags in ({}, {"reemit": True}):
        with pytest.raises(ForeignCheckpointError, match=r"standby\.journal, and not headgate"):
            check_restore(Config(), "file:///chk-9", **flags)


def make(folder: Path, journal: str, age: int) -> Path:
    """Make a checkpoint, so many seconds old, as far as it is looked at."""
    folder.mkdir(parents=True)
    name = journal.encode()
    written = folder / "_metadata"
    written.write_bytes(b"..." + len(name).to_bytes(2, "big") + name + b"...")
    at = written.stat().st_mtime - age
    os.utime(written, (at, at))
    return folder


def test_the_newest_is_the_newest_of_the_same_job(tmp_path: Path) -> None:
    checkpoints = tmp_path / "flink" / "checkpoints"
    make(checkpoints / "a" / "chk-1", JOURNAL, 30)
    own = make(checkpoints / "a" / "chk-2", JOURNAL, 20)
    make(checkpoints / "b" / "chk-7", "standby.journal", 10)
    make(checkpoints / "c" / "chk-7", f"{JOURNAL}-2", 5)
    assert newest_checkpoint(tmp_path, JOURNAL) == own.as_uri()
    saved = make(tmp_path / "flink" / "savepoints" / "savepoint-1", JOURNAL, 1)
    assert newest_checkpoint(tmp_path, JOURNAL) == saved.as_uri()
    assert newest_checkpoint(tmp_path, "other.journal") is None


def test_what_a_job_has_left_is_found_by_its_id(tmp_path: Path) -> None:
    job, savepoints, checkpoints = "0123456789abcdef" * 2, tmp_path / "s", tmp_path / "c"
    assert kept(job, savepoints, checkpoints) == kept(job, None, None) == ""
    make(checkpoints / job / "chk-1", JOURNAL, 30)
    newest = make(checkpoints / job / "chk-2", JOURNAL, 20)
    make(checkpoints / f"f{job[1:]}" / "chk-9", JOURNAL, 1)
    assert kept(job, savepoints, checkpoints) == newest.as_uri()
    saved = make(savepoints / f"savepoint-{job[:6]}-aa", JOURNAL, 40)
    make(savepoints / "savepoint-ffffff-bb", JOURNAL, 1)
    (savepoints / f"savepoint-{job[:6]}-cc").mkdir()
    assert kept(job, savepoints, checkpoints) == saved.as_uri()


class Looks:
    """What was looked at, in place of `survey_settled`: from when, and besides which partitions."""

    def __init__(self, *whole: int, uncertain: tuple[str, ...] = ()) -> None:
        self.made: list[tuple[int, int, set[int]]] = []
        self._whole, self._uncertain = set(whole), list(uncertain)

    def __call__(
        self,
        config: Config,
        checkpoint: Checkpoint,
        *,
        since_ms: int,
        history_since_ms: int = 0,
        besides: frozenset[int] = frozenset(),
    ) -> Survey:
        """Note a look."""
        self.made.append((since_ms, history_since_ms, set(besides)))
        return Survey(whole=set(self._whole), uncertain=list(self._uncertain))


NEWEST = 10_000_000
GLANCE = NEWEST - 10_000
FAR = NEWEST - 3_600_000 - int(Config().job.transaction_timeout.total_seconds() * 1_000)
CHECKPOINT = Checkpoint("file:///chk-1", 1, {}, ())


def looked(monkeypatch: pytest.MonkeyPatch, looks: Looks, *ids: str) -> list[Any]:
    """Look for gaps of transactions that have ended; return how far back, and besides what."""
    monkeypatch.setattr(restore, "survey_settled", looks)
    monkeypatch.setattr(restore, "_newest", lambda *_: NEWEST)
    restore._seen(Config(), CHECKPOINT, [Prepared(each, 1, 1) for each in ids])
    return looks.made


def test_an_hour_is_looked_at_only_where_a_glance_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two subtasks, one transaction each; the newest turn of partitions 0 and 2 is there.
    made = looked(monkeypatch, Looks(0, 2), "headgate-records-0-17", "headgate-records-1-17")
    assert made == [(GLANCE, GLANCE, set()), (FAR, FAR, {0, 2})]


def test_of_two_transactions_of_a_subtask_the_older_one_may_be_lost_behind_the_newest_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = looked(monkeypatch, Looks(0, 2), "headgate-records-0-16", "headgate-records-0-17")
    assert made == [(FAR, FAR, set())]


def test_where_an_instance_stood_is_looked_for_in_all_of_the_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = looked(monkeypatch, Looks(0, uncertain=("echo/a/7",)), "headgate-records-0-17")
    assert made[1:] == [(FAR, FAR, {0}), (FAR, 0, {0})]
