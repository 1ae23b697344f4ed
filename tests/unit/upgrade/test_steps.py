"""An upgrade killed at each of its steps, before it and after it, and run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headgate.errors import HeadgateError
from headgate.local.rest import FlinkUnreachableError
from headgate.upgrade.record import (
    KEPT_COPIES,
    Current,
    Folder,
    Phase,
    Record,
    UpgradeRunningError,
    plan,
    upgraded,
)
from headgate.upgrade.steps import is_overtaken, retried, run, turned_back
from headgate.upgrade.version import Version
from tests.unit.upgrade.site import FakeSite, KilledError

OLD = Version("old.toml", "script", "python", state=1)
NEW = Version("new.toml", "script", "python", state=1)
KILLS = 12


def begun(folder: Folder, site: FakeSite, new: Version = NEW) -> Record:
    """Return an upgrade that has done nothing, of a job that runs."""
    site.jobs["old"], site.versions["old"] = "RUNNING", OLD.config
    record = plan("old", OLD, new, fresh=False, reemit=False)
    folder.keep(record)
    return record


def played(folder: Folder, site: FakeSite) -> Record:
    """Run what stands on disk."""
    record = folder.record()
    assert record is not None
    return run(record, site, folder.keep, lambda _: None)


def cut_short(folder: Folder, site: FakeSite, phase: Phase) -> Record:
    """Run an upgrade until it is killed, and return where it stands."""
    begun(folder, site)
    with pytest.raises(KilledError):
        played(folder, site)
    record = folder.record()
    assert record is not None
    assert record.phase is phase
    return record


@pytest.mark.parametrize(
    ("broken", "phase"),
    [
        ({}, Phase.DONE),
        ({"old.toml": "stop"}, Phase.UNCHANGED),
        ({"new.toml": "submit"}, Phase.WENT_BACK),
        ({"new.toml": "verify"}, Phase.WENT_BACK),
        ({"new.toml": "checkpoint"}, Phase.WENT_BACK),
        ({"new.toml": "verify", "old.toml": "submit"}, Phase.STUCK),
    ],
)
@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("kill_at", range(KILLS))
def test_whatever_is_killed_the_end_is_the_same(
    tmp_path: Path, broken: dict[str, str], phase: Phase, is_late: bool, kill_at: int
) -> None:
    folder, site = Folder(tmp_path), FakeSite(broken, kill_at, is_late)
    begun(folder, site)
    try:
        record = played(folder, site)
    except KilledError:
        record = played(folder, site)
    assert record == folder.record()
    assert record.phase is phase
    expected = {Phase.DONE: ["new.toml"], Phase.STUCK: []}.get(phase, ["old.toml"])
    assert site.running() == expected
    assert (site.jobs.get(record.job) == "RUNNING") == (phase is not Phase.STUCK)
    # Only what ran before may have accidents.
    assert all(has_run == (job == record.back_job) for job, has_run in site.verified.items()), (
        site.verified
    )
    # One savepoint, and each job started from what covers all that was visible.
    assert len(site.saved) <= 1
    if phase is Phase.DONE:
        assert site.restored[record.new_job] == ("savepoint of old", False)
    if phase is Phase.WENT_BACK:
        left = f"checkpoint of {record.new_job}"
        has_left = broken["new.toml"] == "checkpoint"
        assert site.restored[record.back_job] == (left if has_left else "savepoint of old", False)
        assert record.why


def test_kills_reach_every_step(tmp_path: Path) -> None:
    """What the table above kills is all there is."""
    site = FakeSite({"new.toml": "checkpoint"})
    begun(Folder(tmp_path), site)
    played(Folder(tmp_path), site)
    assert 5 < site.done < KILLS


@pytest.mark.parametrize("reemit", [False, True])
def test_state_that_the_old_version_cannot_read_is_not_where_it_goes_on(
    tmp_path: Path, reemit: bool
) -> None:
    folder, site = Folder(tmp_path), FakeSite({"new.toml": "checkpoint"})
    folder.keep(replace(begun(folder, site, replace(NEW, state=2)), reemit=reemit))
    record = played(folder, site)
    assert site.restored[record.back_job] == ("savepoint of old", reemit)


def test_no_answer_is_no_failure(tmp_path: Path) -> None:
    """A Flink that is away ends the command; the upgrade stays where it is."""
    folder, site = Folder(tmp_path), FakeSite()
    begun(folder, site)
    answer: Callable[..., Any] = site.start

    def away(*_: object, **__: object) -> None:
        message = "Flink does not answer"
        raise FlinkUnreachableError(message)

    site.start = away  # type: ignore[method-assign]
    with pytest.raises(FlinkUnreachableError):
        played(folder, site)
    record = folder.record()
    assert record is not None
    assert record.phase is Phase.STARTING
    site.start = answer  # type: ignore[method-assign]
    assert played(folder, site).phase is Phase.DONE


def test_one_that_was_cut_short_can_be_turned_back(tmp_path: Path) -> None:
    folder, site = Folder(tmp_path), FakeSite(kill_at=3)
    record = cut_short(folder, site, Phase.VERIFYING)
    folder.keep(turned_back(record, "it was asked for"))
    record = played(folder, site)
    assert (record.phase, site.running()) == (Phase.WENT_BACK, ["old.toml"])


@pytest.mark.parametrize("is_stopped", [False, True])
def test_turned_back_before_the_new_version_was_started(tmp_path: Path, is_stopped: bool) -> None:
    """The savepoint may be there although the record does not say so: it was killed between."""
    folder, site = Folder(tmp_path), FakeSite(kill_at=1, is_late=is_stopped)
    record = cut_short(folder, site, Phase.STOPPING)
    folder.keep(turned_back(record, "it was asked for"))
    record = played(folder, site)
    assert site.running() == ["old.toml"], "never the new one"
    assert record.why == "it was asked for"
    if is_stopped:
        assert record.phase is Phase.WENT_BACK
        assert site.restored == {record.back_job: ("savepoint of old", False)}
    else:
        assert (record.phase, site.saved) == (Phase.UNCHANGED, {})


def test_what_flink_forgot_is_on_disk(tmp_path: Path) -> None:
    folder, site = Folder(tmp_path), FakeSite(kill_at=1, is_late=True)
    cut_short(folder, site, Phase.STOPPING)
    site.forget()
    record = played(folder, site)
    assert (record.phase, site.running()) == (Phase.DONE, ["new.toml"])
    assert site.restored[record.new_job] == ("savepoint of old", False)


def test_where_nothing_runs_and_nothing_was_left_the_end_says_so(tmp_path: Path) -> None:
    folder, site = Folder(tmp_path), FakeSite()
    begun(folder, site)
    site.forget()
    record = played(folder, site)
    assert (record.phase, record.job) == (Phase.STUCK, "")
    assert "does not run" in record.why


def test_a_new_job_that_flink_forgot_is_gone_back_from_by_its_newest_checkpoint(
    tmp_path: Path,
) -> None:
    folder, site = Folder(tmp_path), FakeSite(kill_at=3)
    record = cut_short(folder, site, Phase.VERIFYING)
    site.forget()
    site.disk[record.new_job] = "checkpoint of the new one"
    record = played(folder, site)
    assert (record.phase, site.running()) == (Phase.WENT_BACK, ["old.toml"])
    assert site.restored == {
        **site.restored,
        record.back_job: ("checkpoint of the new one", False),
    }


def test_an_upgrade_is_over_when_somebody_else_has_started_the_job() -> None:
    record = plan("old", OLD, NEW, fresh=False, reemit=False)
    for running in ([], ["old"], [record.new_job], [record.back_job]):
        assert not is_overtaken(record, running)
    assert is_overtaken(record, ["another"])
    assert is_overtaken(record, [record.new_job, "another"])


def test_a_way_back_that_failed_is_tried_once_more(tmp_path: Path) -> None:
    broken = {"new.toml": "checkpoint", "old.toml": "submit"}
    folder, site = Folder(tmp_path), FakeSite(broken)
    begun(folder, site)
    record = played(folder, site)
    assert (record.phase, record.job, site.running()) == (Phase.STUCK, "", [])
    del broken["old.toml"]
    folder.keep(retried(record, reemit=False))
    again = played(folder, site)
    assert (again.phase, site.running()) == (Phase.WENT_BACK, ["old.toml"])
    # What the new version had made visible still counts.
    assert site.restored[again.back_job] == (f"checkpoint of {record.new_job}", False)


def test_a_checkpoint_that_is_gone_leaves_the_savepoint(tmp_path: Path) -> None:
    """A cluster may delete what a cancelled job had completed."""
    folder, site = Folder(tmp_path), FakeSite({"new.toml": "checkpoint"}, lost="checkpoint of ")
    begun(folder, site)
    record = played(folder, site)
    assert (record.phase, site.running()) == (Phase.WENT_BACK, ["old.toml"])
    assert site.restored[record.back_job] == ("savepoint of old", False)


def test_two_commands_do_not_upgrade_at_once(tmp_path: Path) -> None:
    with (
        Folder(tmp_path).locked(),
        pytest.raises(UpgradeRunningError),
        Folder(tmp_path).locked(seconds=0.0),
    ):
        pass
    with Folder(tmp_path).locked():
        pass


def test_copies_are_for_their_owner_alone_and_outlive_the_file(tmp_path: Path) -> None:
    file = tmp_path / "headgate.toml"
    file.write_text("[job]\n", encoding="utf-8")
    copied = Folder(tmp_path).copied(Version(str(file), "s", "p"))
    file.write_text("else", encoding="utf-8")
    copy = Path(copied.config)
    assert copy.read_text(encoding="utf-8") == "[job]\n"
    assert copy.stat().st_mode & 0o077 == 0
    assert Folder(tmp_path).copied(copied) == copied


def test_copies_that_a_way_back_needs_are_never_stale(tmp_path: Path) -> None:
    folder, file = Folder(tmp_path), tmp_path / "headgate.toml"

    def copied(text: str) -> Version:
        file.write_text(text, encoding="utf-8")
        return folder.copied(Version(str(file), "s", "p"))

    running, before = copied("# running"), copied("# before")
    folder.keep_current(Current("job", running, before))
    others = [copied(f"# try {number}") for number in range(2 * KEPT_COPIES)]
    assert Path(running.config).is_file()
    assert Path(before.config).is_file()
    assert not Path(others[0].config).is_file()
    assert Path(others[-1].config).is_file()


@pytest.mark.parametrize(
    "text", ["null", "[]", '{"phase": "nowhere"}', '{"phase": "done"}', "{", '{"phase": 1, "x": 2}']
)
def test_a_record_of_another_version_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "upgrade").mkdir()
    (tmp_path / "upgrade" / "record.json").write_text(text, encoding="utf-8")
    (tmp_path / "upgrade" / "current.json").write_text(text, encoding="utf-8")
    for read in (Folder(tmp_path).record, Folder(tmp_path).current):
        with pytest.raises(HeadgateError, match="move"):
            read()


def test_a_stack_follows_its_job_through_upgrades(tmp_path: Path) -> None:
    folder, site = Folder(tmp_path), FakeSite()
    assert upgraded(tmp_path, "old") == "old"
    begun(folder, site)
    assert upgraded(tmp_path, "old") == "old"
    record = played(folder, site)
    assert upgraded(tmp_path, "old") == record.new_job
    assert upgraded(tmp_path, record.new_job) == record.new_job
    assert upgraded(tmp_path, "another") == "another"
    assert upgraded(tmp_path, None) is None
