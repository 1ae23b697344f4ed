"""The dialogues that are played: of the real slice where it is here, else our own."""

from __future__ import annotations

from pathlib import Path

from headgate.demo.sgd import AGENT, read_dialogues

REAL = Path(__file__).parents[3] / "shared" / "data" / "sgd"
DATA = REAL if REAL.is_dir() else AGENT.parent / "data"
DIALOGUES = read_dialogues(DATA)[:60]

RATE = 60.0
"""Events a second: what two busy cores take in their stride, so that queues tell of kills."""
