"""`headgate repair` and `headgate job release`, as far as they go without a broker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from headgate.cli import app
from headgate.cli.repair import described
from headgate.repair.gaps import Gap, Survey


def refused(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> None:
    """Run a command that must fail, in a folder without a stack."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HEADGATE_HOME", raising=False)
    monkeypatch.setattr(sys, "argv", ["headgate", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 1


def test_what_a_repair_says_to_programs() -> None:
    gap = Gap("headgate.outbox", 1, "order/17", "order/17/2/0", b"{}", 1)
    found = Survey(turns=4, gaps=[gap], uncertain=["order/9/3"])
    told = described(found, "file:///chk-1", is_dry=True)
    assert json.loads(json.dumps(told)) == {
        "checkpoint": "file:///chk-1",
        "turns": 4,
        "missing": [{"topic": "headgate.outbox", "id": "order/17/2/0"}],
        "written": 0,
        "uncertain": ["order/9/3"],
    }
    assert described(found, "file:///chk-1", is_dry=False)["written"] == 1


def test_a_job_that_is_gone_for_good_has_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(monkeypatch, tmp_path, "job", "release", "--for-good", "--checkpoint", "chk-1")
    assert "exclude each other" in capsys.readouterr().err


def test_a_repair_needs_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(monkeypatch, tmp_path, "repair", "--bootstrap", "127.0.0.1:9")
    assert "--checkpoint PATH" in capsys.readouterr().err
