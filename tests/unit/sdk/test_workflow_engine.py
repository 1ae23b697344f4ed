"""A workflow's turns one by one: which answer a run in memory goes on from, what a turn may do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from headgate.sdk import Agent
from headgate.sdk.errors import DefinitionError
from headgate.sdk.run import run
from headgate.sdk.testing import AgentTester
from headgate.sdk.workflow import Context
from headgate.v1 import agent_pb2 as pb

KEY = "1"


def flow(results: Iterator[int]) -> Agent[Any]:
    """Return a workflow of two activities, each after a signal; it returns what they came to."""
    agent: Agent[Any] = Agent("flow")

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        found = []
        for _ in range(2):
            await ctx.wait_signal("go")
            found.append(await ctx.activity(lambda: next(results), name="draw"))
        return found

    return agent


def signal(tester: AgentTester[Any]) -> pb.Event:
    return tester.event("headgate.signal", subject="go")


def steps_of(reply: pb.TurnReply) -> list[dict[str, Any]]:
    return [json.loads(m.append) for m in reply.mutations if m.name == "steps" and m.append]


def test_a_run_in_memory_goes_on_from_its_own_answer_only() -> None:
    """Its answer was lost, another service's was journaled, with as many steps: that one counts."""
    ours, theirs = flow(iter([1, 3])), flow(iter([2, 4]))
    tester = AgentTester(theirs)
    tester.send(KEY, "begin")
    lost = tester._request(KEY, [signal(tester)], 1)
    assert steps_of(asyncio.run(run(ours, lost)))[1]["r"] == 1
    assert steps_of(tester.send_batch(KEY, [signal(tester)]).reply)[1]["r"] == 2
    following = tester._request(KEY, [signal(tester)], 1)
    [result] = [
        json.loads(m.set) for m in asyncio.run(run(ours, following)).mutations if m.name == "result"
    ]
    assert result == [2, 3]


def test_a_turn_does_one_round_of_activities_however_many_events_it_takes() -> None:
    """Or the second would begin while the first's result could still be lost."""
    tester = AgentTester(flow(iter([1, 2])))
    tester.send(KEY, "begin")
    made = tester.send_batch(KEY, [signal(tester), signal(tester)])
    assert [step.get("k") for step in steps_of(made.reply)] == [None, "activity draw", None]
    [timer] = made.reply.timers
    assert (timer.name, timer.after_ms) == ("workflow/go-on", 0)
    done = tester.send(KEY, "headgate.timer", subject=timer.name)
    assert done.state.result == [1, 2]


def test_an_agent_is_a_workflow_or_has_handlers() -> None:
    async def order(ctx: Context, data: Any) -> None:
        """End at once."""

    mixed: Agent[Any] = Agent("flow")
    mixed.on("a")(print)
    with pytest.raises(DefinitionError, match="no other handlers"):
        mixed.workflow(order)
    with pytest.raises(DefinitionError, match="async def"):
        Agent("flow").workflow(print)
    agent: Agent[Any] = Agent("flow")
    agent.workflow(order)
    with pytest.raises(DefinitionError, match="a workflow takes every event"):
        agent.on_signal("approve")(print)
    with pytest.raises(DefinitionError, match="a workflow takes every event"):
        agent.on("b")(print)
