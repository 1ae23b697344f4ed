"""`headgate upgrade` around its steps: what a record that is open makes of it, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.cli import upgrade as command
from headgate.local.submit import Client
from headgate.upgrade import steps, verify
from headgate.upgrade.preflight import NotUpgradableError
from headgate.upgrade.record import Folder, Phase, Record, plan
from headgate.upgrade.site import Cluster
from headgate.upgrade.version import Version


class Rest:
    """A cluster with one job of the name, "old" or another."""

    running = "old"

    def jobs(self) -> list[dict[str, Any]]:
        return [{"id": self.running, "name": "headgate", "state": "RUNNING"}]


class Place:
    """Where the command works: a folder with an upgrade that was cut short."""

    def __init__(self, home: Path) -> None:
        config = home / "headgate.toml"
        config.write_text("", encoding="utf-8")
        self.rest = Rest()
        self.folder, self.config = Folder(home), str(config)
        version = Version(self.config, "job.py", "python", state=1)
        made = plan("old", version, version, fresh=False, reemit=False)
        self.record = replace(made, phase=Phase.STARTING, savepoint="file:///savepoint-1")
        self.folder.keep(self.record)
        client = Client((), {})
        self.cluster = Cluster(
            cast(Any, self.rest), client, (), home, "", None, verify.Patience(), print
        )

    def upgraded(self, *words: str) -> tuple[int, Any]:
        """Run the command; return its exit code and what it printed, or what it raised."""
        ran = CliRunner().invoke(app.app, ["upgrade", "--config", self.config, *words])
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            return ran.exit_code, ran.exception
        return ran.exit_code, ran.stdout


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    monkeypatch.setattr(command, "find_cluster", lambda *_: made.cluster)
    return made


def ends(monkeypatch: pytest.MonkeyPatch, phase: Phase) -> list[Record]:
    """Let the steps end so; return the records that they were begun with."""
    begun: list[Record] = []

    def run(record: Record, *_: object) -> Record:
        begun.append(record)
        return replace(record, phase=phase, why="it does not work")

    monkeypatch.setattr(steps, "run", run)
    return begun


def test_a_dry_run_says_where_an_upgrade_stands_and_goes_nowhere(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = ends(monkeypatch, Phase.DONE)
    code, told = place.upgraded("--dry-run", "-o", "json")
    assert (code, json.loads(told)["phase"]) == (0, "starting")
    assert begun == []
    assert place.folder.record() == place.record


@pytest.mark.parametrize(
    ("phase", "code"),
    [(Phase.DONE, 0), (Phase.UNCHANGED, 1), (Phase.WENT_BACK, 1), (Phase.STUCK, 2)],
)
def test_the_exit_code_tells_what_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch, phase: Phase, code: int
) -> None:
    begun = ends(monkeypatch, phase)
    assert place.upgraded("-o", "json")[0] == code
    assert begun == [place.record]


def test_turned_back_by_the_operator(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = ends(monkeypatch, Phase.WENT_BACK)
    place.upgraded("--back")
    assert [each.phase for each in begun] == [Phase.LEAVING]


def test_what_somebody_else_has_started_ends_an_upgrade_that_was_cut_short(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = ends(monkeypatch, Phase.DONE)
    place.rest.running = "theirs"
    _, told = place.upgraded()
    # Looked at anew: nobody knows what that job was started from.
    assert isinstance(told, NotUpgradableError)
    assert "nothing says what job theirs was started from" in str(told)
    assert begun == []


def test_an_old_configuration_with_keys_of_its_own_holds_up_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun = ends(monkeypatch, Phase.DONE)
    older = tmp_path / "older.toml"
    older.write_text("[gone]\nkey = 1\n", encoding="utf-8")
    record = replace(place.record, old=replace(place.record.old, config=str(older)))
    place.folder.keep(record)
    assert place.upgraded("-o", "json")[0] == 0
    assert begun == [record]
