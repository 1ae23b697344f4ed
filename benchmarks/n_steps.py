"""A durable workflow of n steps, each an activity that waits: what a process of n calls costs."""

import argparse
import asyncio
from typing import Any

from headgate.sdk import Agent, serve
from headgate.sdk.workflow import Context


def make_workflow(delay_seconds: float) -> Agent[Any]:
    """Make it; the data of the event that starts it says how many steps: `{"steps": 3}`."""
    agent = Agent("n-steps")

    async def call() -> str:
        await asyncio.sleep(delay_seconds)
        return "done"

    @agent.workflow
    async def steps(ctx: Context, data: Any) -> str:
        for _ in range(data["steps"]):
            await ctx.activity(call)
        return "done"

    return agent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=20.0)
    arguments = parser.parse_args()
    workflow = make_workflow(arguments.delay_ms / 1000)
    serve(workflow, host="127.0.0.1", port=arguments.port)
