"""Agents' data for people: pretty JSON, cut to what one can read, with all of it a link away."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

CHARS = 4_000
"""Of one payload on a page: a screen or two."""
LINE_CHARS = 160


class Shown(NamedTuple):
    """A payload as it is shown; size: of all of it, in characters."""

    text: str
    is_cut: bool
    size: int


def pretty(value: Any, limit: int = CHARS) -> Shown:
    """Return a value as indented JSON, text as it is; cut after so many characters, 0: never.

    >>> pretty({"a": [1, 2]}).text
    '{"a": [1, 2]}'
    >>> pretty("abc", 2)
    Shown(text='ab', is_cut=True, size=3)
    """
    text = value if isinstance(value, str) else _json(value)
    return (
        Shown(text[:limit], True, len(text))
        if 0 < limit < len(text)
        else Shown(text, False, len(text))
    )


def one_line(value: Any, limit: int = LINE_CHARS) -> str:
    """Return a value on one line, cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _json(value: Any) -> str:
    short = json.dumps(value, ensure_ascii=False, default=str)
    return (
        short if len(short) <= 80 else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    )
