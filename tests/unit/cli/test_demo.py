"""`headgate demo` without a stack: what it refuses, before it starts anything."""

import sys
from pathlib import Path

import pytest

from headgate.cli import app

Say = pytest.CaptureFixture[str]


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    """Run the command line in an empty folder and return its exit code."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["headgate", "demo", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return int(ended.value.code or 0)


def test_a_kill_that_is_not_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert run(monkeypatch, tmp_path, "--kill", "postman@3s") == 1
    assert "the kinds are taskmanager, worker, agent, kafka" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["no-such-folder", "empty", "without-schema"])
def test_a_folder_without_dialogues(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "without-schema").mkdir()
    dialogue = '[{"dialogue_id": "1", "services": [], "turns": []}]'
    (tmp_path / "without-schema" / "dialogues_001.json").write_text(dialogue, encoding="utf-8")
    assert run(monkeypatch, tmp_path, "--data", given) == 1
    assert "schema.json and dialogues_*.json" in capsys.readouterr().err
    assert not (tmp_path / ".headgate").exists()
