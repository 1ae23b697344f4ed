"""An agent whose instances keep 1 KB each: what a million of them weigh."""

import argparse
import base64
import hashlib
from dataclasses import dataclass

from headgate.sdk import Agent, Event, TerminalError, Turn, serve

CHARACTERS = 1_000


@dataclass
class Kept:
    """What an instance remembers."""

    text: str = ""


def text_of(key: str) -> str:
    """Return text that does not compress: text as people write it would flatter RocksDB's files.

    >>> len(text_of("17")), text_of("17") == text_of("18")
    (1000, False)
    """
    noise = hashlib.shake_256(key.encode()).digest(CHARACTERS * 3 // 4)
    return base64.b64encode(noise).decode()


def make_agent() -> Agent[Kept]:
    """Make it: an event makes its instance's text; a probe fails where it is not there any more."""
    agent = Agent("one_kilobyte", Kept)

    @agent.on("*")
    def keep(turn: Turn[Kept], event: Event) -> None:
        if "probe" not in event.data:
            turn.state.text = text_of(turn.key)
        elif turn.state.text != text_of(turn.key):
            message = "what it kept is gone"
            raise TerminalError(message)

    return agent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    serve(make_agent(), host="127.0.0.1", port=arguments.port)
