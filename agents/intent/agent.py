"""Recognises what a customer wants, by a neural network on the CPU.

Sentence embeddings from weights that a package carries: no key, no network, no download at run
time. The texts of all turns that run at the same time go through the network together.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headgate.sdk import Agent, Batcher, Event, TerminalError, Turn, serve

TAKES = "intent.utterance"
EMITS = "intent.recognised"

EXAMPLES = Path(__file__).with_name("data") / "utterances.json"
# Beyond this a larger matrix gains nothing more, and the first of a batch waits for the last.
MAX_BATCH = 32
# What a later turn may want to know of earlier ones; it is rewritten whole each turn.
REMEMBERED = 10


@dataclass
class Wanted:
    """What one utterance wanted: an intent of the examples, or `none`; score is a cosine."""

    intent: str
    score: float


@dataclass
class Customer:
    """State of one conversation: how many utterances, and what the last ones wanted."""

    utterances: int = 0
    last: list[Wanted] = field(default_factory=list)


def make_agent(
    recognise: Callable[[Sequence[str]], Sequence[Any]], max_batch: int = MAX_BATCH
) -> Agent[Customer]:
    """Make the agent. `recognise` takes texts and returns as many (intent, score)."""
    agent = Agent("intent", Customer, summary="Recognises intents by sentence embeddings")
    intent_of = Batcher(recognise, max_size=max_batch)

    @agent.on(TAKES)
    async def utterance(turn: Turn[Customer], event: Event) -> None:
        data = event.data
        text = data.get("text") if isinstance(data, dict) else None
        if not isinstance(text, str) or not text.strip():
            message = 'the data of an utterance is {"text": "..."}'
            raise TerminalError(message)
        wanted = Wanted(*await intent_of(text))
        turn.state.utterances += 1
        turn.state.last = [*turn.state.last, wanted][-REMEMBERED:]
        turn.emit(EMITS, {"text": text, **asdict(wanted)})

    return agent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7072, help="0 picks a free one")
    parser.add_argument("--examples", type=Path, default=EXAMPLES, help="{intent: [utterance]}")
    parser.add_argument("--max-batch", type=int, default=MAX_BATCH, help="1: each text alone")
    args = parser.parse_args()

    # Here, so that the agent itself can be tested without the network's packages.
    from intents import Intents  # type: ignore[import-not-found]
    from minilm import MiniLM  # type: ignore[import-not-found]

    recognise = Intents(MiniLM(), args.examples)
    serve(make_agent(recognise, args.max_batch), host=args.host, port=args.port)


if __name__ == "__main__":
    main()
