"""An echo whose call takes as long for a whole turn as for one event: a model with batches."""

import argparse
import asyncio
from dataclasses import dataclass

from headgate.sdk import Agent, Event, Turn, serve


@dataclass
class Count:
    """How many events this instance has answered."""

    count: int = 0


def make_agent(delay_seconds: float) -> Agent[Count]:
    """Make the agent; the first event of each turn waits, the others are answered at once."""
    agent = Agent("once-a-turn", state=Count)
    newest: dict[str, str] = {}

    @agent.on("*")
    async def answer(turn: Turn[Count], event: Event) -> None:
        if newest.get(turn.address) != turn.idempotency_key:
            newest[turn.address] = turn.idempotency_key
            await asyncio.sleep(delay_seconds)
        turn.state.count += 1
        turn.emit("echo.reply", {"echo": event.data, "count": turn.state.count})

    return agent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=20.0)
    arguments = parser.parse_args()
    serve(make_agent(arguments.delay_ms / 1000), host="127.0.0.1", port=arguments.port)
