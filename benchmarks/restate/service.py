"""The peer's agents: a virtual object whose handler waits in a journaled step, then counts; and a
workflow of n such steps.

Runs in an environment of its own (`restate-sdk`, `hypercorn`); nothing of Headgate is imported.
"""

import asyncio
import os
from datetime import timedelta
from typing import Any

import restate  # type: ignore[import-not-found]  # it is in the peer's own environment

DELAY_SECONDS = float(os.environ.get("DELAY_MS", "20")) / 1000

echo = restate.VirtualObject("Echo")


async def call() -> str:
    """Stand for a model call."""
    await asyncio.sleep(DELAY_SECONDS)
    return "done"


@echo.handler()  # type: ignore[untyped-decorator]
async def turn(ctx: restate.ObjectContext, event: dict[str, Any]) -> dict[str, Any]:
    """Take one event."""
    await ctx.run_typed("call", call, restate.RunOptions(max_duration=timedelta(seconds=30)))
    count = (await ctx.get("count", type_hint=int) or 0) + 1
    ctx.set("count", count)
    return {"echo": event, "count": count}


steps = restate.Workflow("Steps")


@steps.main()  # type: ignore[untyped-decorator]
async def run(ctx: restate.WorkflowContext, data: dict[str, Any]) -> str:
    """Make as many steps as the data say, one after the other."""
    for _ in range(data["steps"]):
        await ctx.run_typed("call", call, restate.RunOptions(max_duration=timedelta(seconds=30)))
    return "done"


app = restate.app(services=[echo, steps])
