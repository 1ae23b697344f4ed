"""Logs as JSON lines: what a line says, whatever a record holds; and who chooses the format."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headgate import logs
from headgate.local import flink_home
from headgate.local.jars import settings_folder
from headgate.sdk import Agent
from headgate.sdk.run import run_inline
from headgate.v1 import agent_pb2 as pb

SPAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return a record as it is written."""
    text = logs.JsonLines().format(record)
    assert "\n" not in text
    told: dict[str, Any] = json.loads(text)
    return told


def record(message: str, *arguments: object, error: Any = None) -> logging.LogRecord:
    return logging.LogRecord("headgate.x", logging.WARNING, "", 1, message, arguments, error)


def test_a_failed_turn_is_told_with_address_turn_and_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = Agent("order")

    @agent.on("*")
    def fails(turn: Any, event: Any) -> None:
        raise KeyError

    request = pb.TurnRequest(agent_type="order", key="17", turn=4, attempt=2, traceparent=SPAN)
    request.events.add(id="e1", type="t", data=b'"a secret"')
    run_inline(agent, request)
    (logged,) = caplog.records
    told = line_of(logged)
    assert {name: told[name] for name in logs.CONTEXT} == {
        "address": "order/17",
        "agent": "order",
        "turn": 4,
        "attempt": 2,
        "event_id": "e1",
        "trace_id": SPAN[3:35],
        "span_id": SPAN[36:52],
    }
    assert (told["level"], told["logger"]) == ("WARNING", "headgate.sdk")
    assert told["time"].endswith("Z")
    assert "a secret" not in json.dumps(told)


def test_whatever_a_record_holds_is_one_line() -> None:
    assert line_of(record("two\nlines"))["message"] == "two\nlines"
    assert line_of(record("%d of %s", "one"))["message"] == "%d of %s ('one',)"
    try:
        int("x")
    except ValueError:
        told = line_of(record("failed", error=sys.exc_info()))
    assert told["error"] == "ValueError"
    assert told["stack"].startswith("Traceback")
    made = record("x")
    made.turn = object()
    assert "object" in line_of(made)["turn"]


def test_a_turn_without_a_trace_is_told_without_one() -> None:
    assert "trace_id" not in logs.about("order/17", 4, 1, "")
    assert "trace_id" not in logs.about("order/17", 4, 1, "nonsense")


@pytest.mark.parametrize(
    ("arguments", "environment", "is_json"),
    [
        ([], {}, False),
        ([], {"HEADGATE_LOG_FORMAT": "json"}, True),
        (["--log-format", "json"], {}, True),
        (["--log-format", "text"], {"HEADGATE_LOG_FORMAT": "json"}, False),
    ],
)
def test_the_option_counts_before_the_environment(
    arguments: list[str], environment: dict[str, str], *, is_json: bool
) -> None:
    code = (
        "import logging, sys; from headgate.cli import app\n"
        "import headgate.local.state_file as file\n"
        "file.end = lambda home: logging.getLogger('headgate.x').warning('ending')\n"
        "app.main()"
    )
    clean = {name: value for name, value in os.environ.items() if name != logs.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "down"],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("ending" in done.stderr, done.returncode) == (True, 0)
    first = done.stderr.splitlines()[0]
    assert (json.loads(first)["message"] if is_json else first) == "ending"


def test_a_configuration_counts_where_nobody_else_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.cli import broker

    asked: list[str] = []
    monkeypatch.setattr(logs, "configure", asked.append)
    path = tmp_path / "headgate.toml"
    path.write_text('[logging]\nformat = "json"\n', encoding="utf-8")
    monkeypatch.delenv(logs.VARIABLE, raising=False)
    broker.find_broker(path, None)
    monkeypatch.setenv(logs.VARIABLE, "text")
    broker.find_broker(path, None)
    assert asked == ["json"]


def test_flink_logs_the_same_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    flink_home.write_configuration(tmp_path, settings_folder() / "config.yaml", {})
    written = (tmp_path / "log4j-console.properties").read_text(encoding="utf-8")
    assert "PatternLayout" not in written
    assert "JsonTemplateLayout" in written
    template = json.loads((tmp_path / "log4j-json-template.json").read_text(encoding="utf-8"))
    mine = json.loads(logs.JsonLines().format(record("x")))
    assert mine.keys() <= template.keys()
    # Back to text, links take the files' places: the wheel's own stay as they are.
    monkeypatch.setenv(logs.VARIABLE, "text")
    flink_home.write_configuration(tmp_path, settings_folder() / "config.yaml", {})
    assert (tmp_path / "log4j-console.properties").is_symlink()
