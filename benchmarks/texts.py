"""Texts like people's, for what compresses: words from a list, each message other than the last."""

import random

WORDS = 5_000
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
_random = random.Random(11)
_words = [
    "".join(_random.choices(LETTERS, weights=range(26, 0, -1), k=_random.randint(2, 9)))
    for _ in range(WORDS)
]


def text(number: int, characters: int) -> str:
    """Return the text of that number; always the same.

    >>> len(text(1, 100))
    100
    """
    words = random.Random(number).choices(_words, k=characters // 3 + 1)
    return " ".join(words)[:characters]
