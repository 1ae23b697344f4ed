"""A job that nobody asks anything of: what goes wrong meanwhile is mended before somebody does."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from headgate.flink.horizon import UNHEARD_SECONDS
from headgate.sdk import Agent, Event, Turn
from headgate.testing.stack import HeadgateStack

pytestmark = [pytest.mark.flink, pytest.mark.slow, pytest.mark.chaos]

# Two greetings, for only the second is told that nobody is there; a failover; as much again.
BACK_SECONDS = 4 * UNHEARD_SECONDS + 60
POLL_SECONDS = 0.1


def sleeper() -> Agent[Any]:
    agent: Agent[Any] = Agent("sleeper")

    @agent.on("*")
    def take(turn: Turn[Any], event: Event) -> None:
        pass

    return agent


def test_a_worker_that_dies_while_nothing_is_asked_of_it_is_missed(
    killed_stack: HeadgateStack,
) -> None:
    stack, local = killed_stack, killed_stack.cluster.stack
    stack.attach(sleeper())
    stack.send("sleeper/one", "join")
    assert len(stack.history("sleeper/one")) == 1
    dead = set(local.python_worker_pids())
    assert dead
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + BACK_SECONDS
    while not set(local.python_worker_pids()) - dead:
        assert time.monotonic() < deadline, "nobody missed the worker"
        time.sleep(POLL_SECONDS)
    stack.send("sleeper/one", "join")
    assert len(stack.history("sleeper/one")) == 2
