"""The cluster of an upgrade, as far as it needs none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.config import Config
from headgate.local.rest import FlinkUnreachableError
from headgate.local.submit import Client
from headgate.sealing.known import seals_at
from headgate.upgrade import site as module
from headgate.upgrade import verify
from headgate.upgrade.site import Cluster
from headgate.upgrade.steps import JobBesideError
from headgate.upgrade.version import Version


def test_topics_are_read_as_the_version_has_them_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that seals its journal ticks unseen to whoever has not been told of its keys, and a
    question that is not sealed is refused by it.
    """
    seen: list[bool] = []

    def look(*given: Any, **_: bool) -> tuple[()]:
        [config] = [each for each in given if isinstance(each, Config)]
        seen.append(seals_at(config.kafka.bootstrap).sealer is not None)
        return ()

    monkeypatch.setattr(verify, "ends", look)
    monkeypatch.setattr(verify, "verify", look)
    clear, sealed = tmp_path / "clear.toml", tmp_path / "sealed.toml"
    clear.write_text("[kafka]\nbootstrap = 'upgraded:1'\n", encoding="utf-8")
    sealed.write_text(f"{clear.read_text()}[encryption]\nkeys = 'env:SHOP_KEYS'\n", "utf-8")
    nothing: Any = None
    cluster = Cluster(nothing, nothing, (), None, "", None, verify.Patience(), print)
    for file in (clear, sealed, clear):
        version = Version(str(file), "job.py", "python")
        cluster.marks(version)
        cluster.verify("job", version, (), has_run=False)
    assert seen == [False, False, True, True, False, False]


class Rest:
    """Jobs of Flink's by id, each RUNNING, all of one name."""

    def __init__(self, *jobs: str) -> None:
        self.there = list(jobs)

    def jobs(self) -> list[dict[str, Any]]:
        return [{"id": each, "name": "headgate", "state": "RUNNING"} for each in self.there]

    def state(self, job: str) -> str:
        if job in self.there:
            return "RUNNING"
        error = FlinkUnreachableError("no such job")
        error.status = 404
        raise error

    def settings(self) -> dict[str, str]:
        return {}

    def registered_task_managers(self) -> int:
        return 1


def test_a_job_is_started_once_by_its_own_id_and_never_beside_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[Any] = []
    monkeypatch.setattr(module, "run", lambda *_, settings, **__: submitted.append(settings))
    file = tmp_path / "headgate.toml"
    file.write_text("", encoding="utf-8")
    version = Version(str(file), "job.py", sys.executable)

    def start(*running: str) -> None:
        rest, client = Rest(*running), Client((), {})
        cluster = Cluster(cast(Any, rest), client, (), None, "", None, verify.Patience(), print)
        cluster.start("new", version, "file:///savepoint", fresh=False, reemit=False)

    start()
    assert submitted == [{module.JOB_ID: "new"}]
    # An earlier try was through.
    start("new")
    assert len(submitted) == 1
    with pytest.raises(JobBesideError, match="job theirs of the name headgate runs"):
        start("theirs")
    assert len(submitted) == 1
