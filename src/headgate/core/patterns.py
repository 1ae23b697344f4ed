"""Patterns over CloudEvents types: which handler takes an event, which agent type gets it."""

import re
from typing import NamedTuple


class Pattern(NamedTuple):
    """A compiled pattern; `rank` grows with how specific it is."""

    text: str
    regex: re.Pattern[str]
    rank: tuple[bool, int, int]


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern: `*` stands for one segment, at the end for the whole rest.

    >>> bool(compile_pattern("shop.*.paid").regex.fullmatch("shop.order.paid"))
    True
    >>> bool(compile_pattern("shop.*").regex.fullmatch("shop.order.paid"))
    True
    """
    if not text or text != text.strip():
        message = f"event type pattern {text!r} is empty or padded with blanks"
        raise ValueError(message)
    head, star, tail = text.rpartition("*")
    regex = _inner(head) + ".+" if star and not tail else _inner(text)
    stars = text.count("*")
    return Pattern(text, re.compile(regex, re.DOTALL), (stars == 0, len(text) - stars, -stars))


def _inner(text: str) -> str:
    return "[^.]+".join(re.escape(part) for part in text.split("*"))
