"""Whatever the embedded stack can start beside Kafka and Flink listens on loopback too."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.local.jars import MissingToolError
from headgate.local.redis import NoRedisServerError
from headgate.sdk import Agent, Event, Turn
from headgate.testing.stack import HeadgateStack
from tests.flink.exposure import assert_on_loopback, servers
from tests.reference_agents import AGENTS

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def listener() -> Agent[Any]:
    agent: Agent[Any] = Agent("listener")

    @agent.on("*")
    def take(turn: Turn[Any], event: Event) -> None:
        pass

    return agent


def test_every_server_of_a_stack_with_everything_listens_on_loopback(
    killed_stack: HeadgateStack,
) -> None:
    stack, local = killed_stack, killed_stack.cluster.stack
    stack.attach(listener())
    stack.send("listener/one", "join")
    # A turn was taken: the job runs, and with it the Python worker.
    assert len(stack.history("listener/one")) == 1
    expected = {"history", "console", "agent-echo"}
    config = local.home / "headgate.toml"
    local.start_history(config)
    local.start_console(config)
    local.agents.start("echo", AGENTS / "echo" / "agent.py")
    try:
        for name, start in (("redis", local.start_redis), ("temporal", local.start_temporal)):
            try:
                start()
            except (MissingToolError, NoRedisServerError):
                # Without the program, no server that could listen.
                continue
            expected.add(name)
        found = servers(local)
        assert expected <= {name for name, addresses in found.items() if addresses}
        assert_on_loopback(local)
    finally:
        local.agents.stop("echo")
