"""`headgate doctor` on a real stack: a healthy one gives nothing, each fault is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headgate.bootstrap import Bootstrap
from headgate.cli import app
from headgate.kafka.connect import admin_client
from headgate.sdk import Agent, Event, Turn
from headgate.testing.stack import HeadgateStack

pytestmark = [pytest.mark.flink, pytest.mark.slow]

# Nobody listens on these.
CLOSED = ("127.0.0.1:9", "127.0.0.1:13")

FAULTS = f"""
[job]
parallelism = 3
checkpoint_interval = "2s"
transaction_timeout = "20m"

[limits]
max_record = "3MB"

[history]
endpoint = "{CLOSED[0]}"

[redis]
url = "redis://{CLOSED[1]}/0"

[[topics]]
name = "forgotten"
"""


def echo() -> Agent[Any]:
    agent = Agent("echo")

    @agent.on("*")
    def answer(turn: Turn[Any], event: Event) -> None:
        turn.emit("echo.reply", event.data)

    return agent


def doctor(config: Path, flink: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and what it says."""
    arguments = ["doctor", "--config", str(config), "--flink", flink, "-o", "json"]
    done = CliRunner().invoke(app.app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["exit_code"] == done.exit_code
    return done.exit_code, said


def alter(bootstrap: Bootstrap, topic: str, **settings: str) -> None:
    from kafka.admin import ConfigResource, ConfigResourceType

    named = {name.replace("__", "."): value for name, value in settings.items()}
    with admin_client(bootstrap) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, named)])


def test_a_healthy_stack_gives_nothing_and_faults_are_named(tmp_path: Path) -> None:
    stack = HeadgateStack(tmp_path)
    try:
        stack.start()
        stack.attach(echo())
        stack.send("echo/1", "echo.ask", {"n": 1})
        assert stack.outputs("echo/1")
        cluster = stack.cluster.stack
        config, flink = tmp_path / "headgate.toml", cluster.flink.rest_url

        code, said = doctor(config, flink)
        assert (code, said["findings"], said["unchecked"]) == (0, [], [])
        # Three clocks, and all of them this machine's.
        assert len(said["clocks"]) == 3
        assert all(abs(clock["ahead_seconds"]) < 1 for clock in said["clocks"])

        cluster.flink.rest.savepoint(stack.cluster.job, cluster.flink.savepoints.as_uri())
        bootstrap = cluster.kafka.bootstrap
        alter(bootstrap, "headgate.journal", retention__ms="1")
        alter(bootstrap, "headgate.outbox", cleanup__policy="compact")
        alter(bootstrap, "to-echo", cleanup__policy="compact", max__message__bytes="9000000")
        stack.cluster.register("lost", CLOSED[0], stack.cluster._specs["echo"].policy)
        stack.cluster._write_specs(stack.cluster._config)  # type: ignore[arg-type]
        broken = tmp_path / "broken.toml"
        broken.write_text(config.read_text("utf-8") + FAULTS, "utf-8")

        code, said = doctor(broken, flink)
        errors = {each["rule"] for each in said["findings"] if each["severity"] == "error"}
        warnings = {each["rule"] for each in said["findings"] if each["severity"] == "warning"}
        assert code == 2
        assert errors == {
            "agent-away",
            "history-away",
            "redis-away",
            "retention-restore",
            "topic-narrow",
            "topic-settings",
            "transaction-timeout-broker",
        }
        assert warnings == {
            "events-compacted",
            "events-wide",
            "job-differs",
            "partitions-uneven",
            "retention-short",
            "topic-unread",
        }

        # Without the broker it says which checks were not made.
        cluster.kafka.stop()
        code, said = doctor(config, flink)
        unchecked = " ".join(each["what"] for each in said["unchecked"])
        assert "agents" in unchecked
        assert "retention" in unchecked
        assert "kafka-away" in [each["rule"] for each in said["findings"]]
        assert code == 2
    finally:
        stack.close()
