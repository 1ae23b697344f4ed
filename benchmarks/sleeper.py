"""A durable workflow that sleeps until a moment of the clock: all that start wake together."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.sdk import Agent, serve
from headgate.sdk.workflow import Context


def make_workflow() -> Agent[Any]:
    """Make it; the data of the event that starts it says when: `{"until": 1764432000.0}`."""
    agent = Agent("sleeper")

    @agent.workflow
    async def sleep(ctx: Context, data: Any) -> str:
        left = datetime.fromtimestamp(data["until"], UTC) - ctx.now
        await ctx.sleep(max(left, timedelta(0)))
        return "awake"

    return agent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    serve(make_workflow(), host="127.0.0.1", port=arguments.port)
