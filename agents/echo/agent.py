"""An agent that answers every event with its own data: for first steps and for benchmarks."""

import argparse
import asyncio
from dataclasses import dataclass
from typing import Any

from headgate.sdk import Agent, Event, Turn, serve


@dataclass
class Echo:
    """How many events this instance has answered."""

    count: int = 0


def make_agent(delay_seconds: float = 0.0) -> Agent[Echo]:
    """Make the agent; with a delay it waits as long per event, as a model call would."""
    agent = Agent("echo", state=Echo, summary="Answers every event with its own data")

    def answer(turn: Turn[Echo], event: Event) -> None:
        turn.state.count += 1
        data: dict[str, Any] = {"echo": event.data, "count": turn.state.count}
        turn.emit("echo.reply", data)

    async def answer_later(turn: Turn[Echo], event: Event) -> None:
        await asyncio.sleep(delay_seconds)
        answer(turn, event)

    agent.on("*")(answer_later if delay_seconds > 0 else answer)
    return agent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7070, help="0 picks a free one")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="wait this long per event")
    parser.add_argument("--max-turns", type=int, default=1000, help="turns at once")
    args = parser.parse_args()
    serve(
        make_agent(args.delay_ms / 1000),
        host=args.host,
        port=args.port,
        max_turns=args.max_turns,
    )


if __name__ == "__main__":
    main()
