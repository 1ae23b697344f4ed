"""What is refused before a running job is touched, and what the refusal says."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.cli.look import Output
from headgate.cli.upgrade_place import NoFlinkError
from headgate.cli.upgrade_views import tell_plan, tell_record
from headgate.config import Config
from headgate.config.encryption import EncryptionConfig
from headgate.errors import ConfigError
from headgate.kafka.errors import UnknownTopicError
from headgate.upgrade import preflight
from headgate.upgrade.preflight import Found, NotUpgradableError, look
from headgate.upgrade.record import Current, Phase, plan
from headgate.upgrade.version import Version, VersionUnusableError, here, known

FOLDER = "file:///savepoints"


class Place:
    """A cluster that is as it should be, until a test changes one thing."""

    def __init__(self) -> None:
        self.jobs = ["job-1"]
        self.settings = {"execution.checkpointing.savepoint-dir": FOLDER}
        self.rest = SimpleNamespace(settings=lambda: self.settings)
        self.savepoints: str | None = None
        self.home: Path | None = Path("home")
        self.restart = ""
        self.job_state = "RUNNING"
        self.task_managers = 1

    def state(self, _: str) -> str:
        """Return the job's state."""
        return self.job_state

    def missing(self, count: int) -> int:
        """Return how many TaskManagers are missing."""
        return max(0, count - self.task_managers)

    def running(self, _: str) -> list[str]:
        """Return the jobs of the name."""
        return self.jobs


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """A healthy cluster; Kafka says what the configuration says, and code is where it was."""
    monkeypatch.setattr(preflight, "count_partitions", lambda *_: Config().kafka.partitions)
    monkeypatch.setattr(preflight, "known_version", lambda version: version)
    return Place()


@pytest.fixture
def old(tmp_path: Path) -> Version:
    """The version that runs."""
    file = tmp_path / "old.toml"
    file.write_text("", encoding="utf-8")
    return Version(str(file), str(file), "python", headgate="1", state=1, code="a", root="/old")


def looked(place: Place, old: Version | None, new: Version, **given: Any) -> Found:
    """Look, with what is known of the job that runs."""
    current = Current("job-1", old) if old else None
    cluster: Any = place
    config = given.pop("config", Config())
    return look(cluster, config, new, current, given.pop("previous", None), **given)


def test_what_is_fine_passes_and_the_same_code_keeps_its_task_managers(
    place: Place, old: Version
) -> None:
    assert looked(place, old, old) == Found("job-1", old, old, fresh=False)
    newer = replace(old, code="b")
    assert looked(place, old, newer).fresh
    assert not looked(place, old, newer, keep_task_managers=True).fresh
    # Another Python may have other packages.
    assert looked(place, old, replace(old, python="other")).fresh
    # Nobody knows what runs: new ones, to be sure.
    assert looked(place, None, old, previous=replace(old, code="")).fresh


def test_the_plan_names_what_changes_what_must_be_started_and_a_job_that_does_not_run(
    place: Place, old: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    place.job_state = "RESTARTING"
    settings = Config.model_validate(
        {
            "job": {"parallelism": 2},
            "history": {"store": "postgresql://db/h?user=u&password=secret"},
            "redis": {"url": "redis://u:secret@localhost/0"},
        }
    )
    found = looked(place, old, replace(old, code="b"), config=settings)
    assert (found.state, found.missing) == ("RESTARTING", 1)
    assert found.changes == (
        "job.parallelism: 1, then 2",
        f'history.store: "{Config().history.store}", then (not shown)',
        'redis.url: "redis://127.0.0.1:6379/0", then (not shown)',
    )
    tell_plan(found, Output.TABLE)
    told = " ".join(capsys.readouterr().out.split())
    for part in ("is RESTARTING", "have 1 more registered", "other code", "parallelism: 1, then 2"):
        assert part in told
    assert "secret" not in told
    # Of another release, with keys that nobody knows any more.
    Path(old.config).write_text("[gone]\nkey = 1\n", encoding="utf-8")
    assert looked(place, old, old).changes is None


def test_what_was_asked_for_is_what_is_said_in_the_end(
    old: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    done = replace(plan("job-1", old, old, fresh=False, reemit=False), phase=Phase.DONE)
    tell_record(done, Output.TABLE)
    assert capsys.readouterr().out.startswith("upgraded: job ")
    tell_record(done, Output.TABLE, back=True)
    assert capsys.readouterr().out.startswith("went back to the version before: job ")


@pytest.mark.parametrize(("jobs", "said"), [([], "no job named headgate"), (["1", "2"], "2 jobs")])
def test_one_job_of_the_name_must_run(
    place: Place, old: Version, jobs: list[str], said: str
) -> None:
    place.jobs = jobs
    with pytest.raises(NotUpgradableError, match=said):
        looked(place, old, old)


def test_there_must_be_a_way_back(
    place: Place, old: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotUpgradableError, match="--previous FILE"):
        looked(place, None, old)
    place.jobs = ["another that somebody started by hand"]
    with pytest.raises(NotUpgradableError, match="--previous FILE"):
        looked(place, old, old)
    place.jobs = ["job-1"]
    gone = replace(old, config="/nowhere/old.toml")
    with pytest.raises(NotUpgradableError, match=r"/nowhere/old\.toml"):
        looked(place, gone, old)
    # Installed over the old one: what would be started as the way back is the new code.
    monkeypatch.setattr(preflight, "known_version", lambda version: replace(version, code="b"))
    with pytest.raises(NotUpgradableError, match="--one-way"):
        looked(place, old, replace(old, code="b"))
    assert looked(place, old, replace(old, code="b"), one_way=True).fresh


def test_topics_are_those_of_the_job(
    place: Place, old: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "count_partitions", lambda *_: 8)
    with pytest.raises(NotUpgradableError, match="fixed for life"):
        looked(place, old, old)

    def unknown(*_: object) -> int:
        message = "no such topic"
        raise UnknownTopicError(message)

    monkeypatch.setattr(preflight, "count_partitions", unknown)
    with pytest.raises(NotUpgradableError, match=r"kafka\.prefix"):
        looked(place, old, old)


def test_code_that_reads_no_newer_state_is_refused(place: Place, old: Version) -> None:
    newer = replace(old, state=2)
    assert looked(place, old, newer)
    with pytest.raises(NotUpgradableError, match="schema version 2"):
        looked(place, newer, old)


def test_a_folder_for_savepoints_and_new_task_managers_are_needed(
    place: Place, old: Version
) -> None:
    place.settings = {}
    with pytest.raises(NotUpgradableError, match="--savepoints URL"):
        looked(place, old, old)
    place.savepoints, place.home = FOLDER, None
    assert looked(place, old, old)
    with pytest.raises(NotUpgradableError, match="--restart COMMAND"):
        looked(place, old, replace(old, code="b"))
    place.restart = "./replace"
    assert looked(place, old, replace(old, code="b"))


def test_a_python_without_headgate_is_named(tmp_path: Path) -> None:
    with pytest.raises(VersionUnusableError, match="/nowhere/python"):
        known(here(tmp_path, tmp_path, "/nowhere/python"))
    found = known(here(tmp_path, tmp_path))
    assert found.code and found.state >= 1
    assert found.settings() == {}
    copy = tmp_path / "headgate" / "core"
    copy.mkdir(parents=True)
    (copy.parent / "__init__.py").touch()
    (copy / "__init__.py").touch()
    (copy / "codec.py").write_text("CONTROL_VERSION = 7\n", encoding="utf-8")
    other = known(here(tmp_path, tmp_path, path=str(tmp_path)))
    assert (other.state, other.root) == (7, str(tmp_path))
    assert other.settings()["python.pythonpath"] == str(tmp_path)
    assert other.code != found.code


def test_flink_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path))
    monkeypatch.delenv("FLINK_HOME", raising=False)
    done = CliRunner().invoke(app.app, ["upgrade"])
    assert isinstance(done.exception, NoFlinkError)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app.app, ["upgrade", "--flink", "http://127.0.0.1:9"])
    assert isinstance(done.exception, ConfigError)
    assert "FLINK_HOME" in str(done.exception)


def test_keys_that_are_not_there_cost_no_outage(place: Place, old: Version, tmp_path: Path) -> None:
    sealed = Config(encryption=EncryptionConfig(keys=f"file:{tmp_path}/keys"))
    with pytest.raises(NotUpgradableError, match=r"keys: cannot be read"):
        looked(place, old, old, config=sealed)
    (tmp_path / "keys").write_text(f"a:{base64.b64encode(bytes(32)).decode()}\n")
    with pytest.raises(NotUpgradableError, match=r"no way back. Give --one-way"):
        looked(place, old, old, config=sealed)
    assert looked(place, old, old, config=sealed, one_way=True).job == "job-1"
    Path(old.config).write_text(f'[encryption]\nkeys = "file:{tmp_path}/keys"\n', "utf-8")
    assert looked(place, old, old, config=sealed).job == "job-1"


def test_encryption_is_not_taken_from_a_job_whose_state_is_sealed(
    place: Place, old: Version
) -> None:
    Path(old.config).write_text('[encryption]\nkeys = "file:/run/keys"\n', encoding="utf-8")
    with pytest.raises(NotUpgradableError, match=r"\[encryption\] is gone"):
        looked(place, old, old)
