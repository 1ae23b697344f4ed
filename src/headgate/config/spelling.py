"""Hints for misspelt names."""

from collections.abc import Collection
from difflib import get_close_matches


def did_you_mean(name: str, known: Collection[str]) -> str:
    """ ", did you mean 'x'?" for the nearest known name, or "" if none is near.

    >>> did_you_mean("dedline", ["deadline", "endpoint"])
    ", did you mean 'deadline'?"
    """
    matches = get_close_matches(name, known, n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""


def listed(known: Collection[str]) -> str:
    """ "known: 'a', 'b'", or "none is declared"."""
    return f"known: {', '.join(map(repr, known))}" if known else "none is declared"
