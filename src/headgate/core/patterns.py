"""Patterns over CloudEvents types: which handler takes an event, which agent type gets it."""

import re
from typing import NamedTuple

MOST_STARS = 16
"""In one pattern: nobody writes more, and a type of a thousand characters is tried against each."""


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
    if text.count("*") > MOST_STARS:
        message = f"event type pattern {text[:100]!r} has more than {MOST_STARS} stars"
        raise ValueError(message)
    head, star, tail = text.rpartition("*")
    regex = _inner(head) + ".+" if star and not tail else _inner(text)
    stars = text.count("*")
    return Pattern(text, re.compile(regex, re.DOTALL), (stars == 0, len(text) - stars, -stars))


def _inner(text: str) -> str:
    return r"\.".join(map(_segment, text.split(".")))


def _segment(text: str) -> str:
    """Match a segment in time that grows with its length, whatever it is.

    Each star but the last takes the least that what follows it allows, and is never tried again
    with more: where a later place of a part fits, the first one does too.
    """
    first, *others = map(re.escape, text.split("*"))
    if not others:
        return first
    *inner, last = others
    return first + "".join(f"(?>[^.]+?{part})" for part in inner) + "[^.]+" + last
