"""`headgate dev`, `down` and `status` where no stack runs."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from headgate.cli import app
from headgate.local import state_file
from headgate.local.state_file import StackState


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["headgate", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return int(ended.value.code or 0)


def test_status_without_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "status", "--home", str(tmp_path), "-o", "json") == 1
    assert json.loads(capsys.readouterr().out) == {"running": False}


def test_status_names_where_metrics_are_scraped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = state_file.acquire(tmp_path)
    url = "http://127.0.0.1:9/metrics"
    try:
        StackState(os.getpid(), "running", metrics={"jobmanager": url}).write(tmp_path)
        assert run(monkeypatch, "status", "--home", str(tmp_path)) == 0
        assert re.search(rf"metrics of jobmanager\W+{url}", capsys.readouterr().out)
        assert run(monkeypatch, "status", "--home", str(tmp_path), "-o", "json") == 0
        assert json.loads(capsys.readouterr().out)["metrics"] == {"jobmanager": url}
    finally:
        os.close(lock)


def test_down_without_a_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "down", "--home", str(tmp_path)) == 0


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (None, "cannot be read"),
        ("[kafka]\nbootstrap = 'broker.example:9092'\n", "starts its own"),
        ("[kafka]\nsecurity_protocol = 'SSL'\n", "speaks PLAINTEXT on loopback"),
    ],
)
def test_an_expected_error_is_a_paragraph_without_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    toml: str | None,
    said: str,
) -> None:
    config = tmp_path / "mine.toml"
    if toml is not None:
        config.write_text(toml)
    home = str(tmp_path / "home")
    assert run(monkeypatch, "dev", "--home", home, "--config", str(config)) == 1
    error = capsys.readouterr().err
    assert error.startswith("headgate: ")
    assert said in error
    assert "Traceback" not in error
