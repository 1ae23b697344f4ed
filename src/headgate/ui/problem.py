"""Something that is wrong, as the console tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["bad", "warn"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong. what: a sentence. since_ms: 0 where nobody knows. do: what helps.

    link: the page that shows it. key: the same from one look to the next.
    """

    key: str
    severity: Severity
    what: str
    since_ms: int
    do: str
    link: str


def short(text: str) -> str:
    """Return a sentence of other people's on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= 240 else f"{line[:239]}…"
