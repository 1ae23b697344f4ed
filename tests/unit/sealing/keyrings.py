"""Keys for tests."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass, field

from headgate.sealing.keys import Listed
from headgate.sealing.places import Seals
from headgate.sealing.sealer import Sealer


def line(name: str) -> str:
    """Return the line of a new key."""
    return f"{name}:{b64encode(os.urandom(32)).decode()}\n"


@dataclass
class Ring:
    """A list of keys that tests change."""

    text: str = field(default_factory=lambda: line("k1"))

    def sealer(self, *, accepts_clear: bool = True) -> Sealer:
        """Return a process's sealer, which looks at the list each time."""
        return Sealer(Listed(lambda: self.text), accepts_clear=accepts_clear, look_seconds=0)

    def seals(self, *topics: str) -> Seals:
        """Return the seals of topics, each a kind of its own."""
        return Seals(self.sealer(), {topic: topic for topic in topics})
