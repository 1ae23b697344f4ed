"""`headgate doctor` and `headgate size` as one types them, without any server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.cli.doctor import find_flink
from headgate.errors import ConfigError

# Nobody listens there.
NOBODY = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without headgate.toml and without a stack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_HOME", raising=False)


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app.app, list(arguments))
    return done.exit_code, done.stdout


def test_what_was_named_and_is_away_is_an_error_and_the_rest_is_said() -> None:
    code, out = run("doctor", "--bootstrap", NOBODY, "--flink", f"http://{NOBODY}", "-o", "json")
    said = json.loads(out)
    assert (code, said["exit_code"]) == (2, 2)
    assert [each["rule"] for each in said["findings"]] == ["kafka-away", "flink-away"]
    unchecked = " ".join(each["what"] for each in said["unchecked"])
    for what in ("agents", "topics", "retention", "slots", "checkpoints", "clock"):
        assert what in unchecked


def test_a_flink_that_nobody_names_is_no_fault() -> None:
    code, out = run("doctor", "--bootstrap", NOBODY)
    assert code == 2
    assert "kafka-away" in out
    assert "flink-away" not in out
    assert "give --flink http://HOST:PORT" in out
    assert "errors: 1, warnings: 0" in out


def test_the_files_own_faults_need_no_server(tmp_path: Path) -> None:
    (tmp_path / "headgate.toml").write_text(
        f'[kafka]\nbootstrap = "{NOBODY}"\n[job]\nparallelism = 3\n', "utf-8"
    )
    assert "partitions-uneven" in run("doctor")[1]


@pytest.mark.parametrize("url", ["https://flink:8081", "flink", "http://flink", "http://f:x"])
def test_flinks_address_is_checked(url: str) -> None:
    with pytest.raises(ConfigError, match="http://HOST:PORT"):
        find_flink(url)


def test_flink_may_be_named_with_and_without_scheme() -> None:
    assert find_flink("http://flink:8081") is not None
    assert find_flink("flink:8081") is not None
    assert find_flink(None) is None


def test_size_as_json() -> None:
    arguments = ("size", "--turns-per-second", "6000", "--call-ms", "2000", "-o", "json")
    code, out = run(*arguments)
    said = json.loads(out)
    assert code == 0
    assert said["parallelism"] == said["task_managers"] == 5
    assert said["partitions"] == 20
    assert said["even_parallelisms"] == [1, 2, 4, 5, 10, 20]
    assert said["calls_in_flight"] == 12_000
    assert {each["topic"] for each in said["topics"]} == {"events", "journal", "outbox", "history"}
    assert 0.35 < said["simulation"]["load"]["utilisation"] < 0.5
    assert said["simulation"]["loss"]["drained"] > 3.6
    assert said["not_measured"]
    # The same question has the same answer.
    assert json.loads(run(*arguments)[1]) == said


def test_size_for_people() -> None:
    code, out = run("size", "--turns-per-second", "500", "--instances", "100")
    assert code == 0
    for said in ("kafka.partitions", "fixed for life", "another one lost", "Not measured:", "mind"):
        assert said in out


def test_sizes_options_are_checked() -> None:
    assert run("size")[0] != 0
    assert run("size", "--turns-per-second", "0")[0] != 0
    done = CliRunner().invoke(app.app, ["size", "--turns-per-second", "5", "--retention", "7"])
    assert isinstance(done.exception, ConfigError)
    assert "--retention" in str(done.exception)
