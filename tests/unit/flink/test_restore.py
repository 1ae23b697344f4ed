"""Whose checkpoint it is: one of another job is neither chosen nor restored."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.config import Config
from headgate.flink import restore
from headgate.flink.restore import ForeignCheckpointError, check_restore
from headgate.local.saved import newest_checkpoint
from headgate.repair.checkpoint import Checkpoint

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
