"""`headgate workflows` against a running job: started under an id, looked at, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from headgate.cli.workflows import NoResultError, NotEndedError
from headgate.sdk import Agent
from headgate.sdk.workflow import Context
from headgate.testing.serving import Serving
from tests.flink.runtime import Runtime

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def approval(name: str) -> Agent[Any]:
    """Make a workflow that asks a person, and says what it was given and told."""
    agent: Agent[Any] = Agent(name)

    @agent.workflow
    async def run(ctx: Context, data: Any) -> Any:
        checked = await ctx.activity(lambda: {"checked": data})
        said = await ctx.wait_signal("approve", timeout=timedelta(days=3))
        return {**checked, "said": said}

    return agent


def test_a_workflow_from_its_start_to_its_result(runtime: Runtime) -> None:
    name = runtime.fresh("approval")
    one, two, three = f"{name}/one", f"{name}/two", f"{name}/three"

    def seen(address: str) -> Any:
        return runtime.headgate("workflows", "describe", address)

    def await_waiting(address: str) -> Any:
        def look() -> Any:
            shown = seen(address)
            return shown if "signal approve" in shown.get("waits_for", ()) else None

        return runtime.records.await_found(look, f"{address}, which waits for a person")

    with Serving(approval(name)) as served:
        runtime.headgate("agents", "attach", name, "--endpoint", served.endpoint)
        assert seen(one) == {"address": one, "status": "not started"}
        runtime.headgate("workflows", "start", one, '{"n": 1}')
        shown = await_waiting(one)
        assert (shown["status"], shown["run"], shown["taken_steps"]) == ("running", 1, 1)
        assert shown["steps"][0]["came to"] == {"checked": {"n": 1}}
        with pytest.raises(NotEndedError, match=f"{one} is running"):
            runtime.headgate_plain("workflows", "result", one)
        # Again: the same workflow, and what was given this time is nobody's.
        runtime.headgate("workflows", "start", one, '{"n": 2}')
        runtime.headgate("workflows", "signal", one, "approve", '"yes"')
        found = runtime.headgate_plain("workflows", "result", one, "--wait", "60")
        assert found == {"checked": {"n": 1}, "said": "yes"}
        assert seen(one)["result"] == found

        runtime.headgate("workflows", "start", two)
        await_waiting(two)
        runtime.headgate("workflows", "cancel", two)
        with pytest.raises(NoResultError, match=f"{two} is cancelled"):
            runtime.headgate_plain("workflows", "result", two, "--wait", "60")
        four = f"{name}/four"
        runtime.headgate("workflows", "start", four)
        await_waiting(four)
        runtime.headgate("workflows", "terminate", four, "--reason", "by hand")
        with pytest.raises(NoResultError, match=f"{four} is terminated: by hand"):
            runtime.headgate_plain("workflows", "result", four, "--wait", "60")
        # What was said before the start has waited for it.
        runtime.headgate("workflows", "signal", three, "approve", '"early"')
        runtime.headgate("workflows", "start", three, "3")
        found = runtime.headgate_plain("workflows", "result", three, "--wait", "60")
        assert found == {"checked": 3, "said": "early"}
        runtime.headgate("agents", "detach", name, "--now")
    runtime.assert_unharmed()
