"""The service of test_temporal: an agent that Temporal asks, and a workflow of Headgate's that it
runs, which itself drives one of Temporal's.
"""

import argparse
from dataclasses import dataclass
from typing import Any

from headgate.sdk import Agent, Event, Turn, serve
from headgate.sdk.workflow import Context


@dataclass
class Taken:
    """How many events an instance has taken."""

    n: int = 0


def clerk() -> Agent[Taken]:
    """Make an agent that numbers what it is asked."""
    agent = Agent("clerk", Taken)

    @agent.on("*")
    def ask(turn: Turn[Taken], event: Event) -> Any:
        turn.state.n += 1
        turn.emit("clerk.taken", event.data)
        return turn.state.n

    return agent


def approver(queue: str) -> Agent[Any]:
    """Make a workflow of Headgate's: starts an approval at Temporal, signals and updates it."""
    agent: Agent[Any] = Agent("approver")

    @agent.workflow
    async def run(ctx: Context, item: int) -> Any:
        there = f"temporal/{ctx.key}"
        start = {"workflow": "Approval", "task_queue": queue, "args": [item]}

        async def approve() -> Any:
            await ctx.call(there, "temporal.signal", {"name": "tell", "args": ["signal"]})
            return await ctx.call(there, "temporal.update", {"name": "add", "args": ["update"]})

        return await ctx.gather(ctx.call(there, "temporal.start", start), approve())

    return agent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--queue", required=True)
    args = parser.parse_args()
    serve(clerk(), approver(args.queue), port=args.port)
