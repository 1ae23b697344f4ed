"""Which mailboxes are full, as Gate tells intake. In memory alone, and said again and again: what a
life has said that ended is forgotten by those who heard it, for it is not repeated.
"""

from __future__ import annotations

AGAIN_MS = 10_000
"""How often it is said of a mailbox that stays full, at most: each costs a small record. A third of
the time for which it is believed (``flink/pressure.py``), so that two may be lost."""


class Pressure:
    """What one Gate has said."""

    def __init__(self) -> None:
        self._full: dict[str, int] = {}

    def was_full(self, address: str) -> bool:
        """Tell whether the last that was said of a mailbox is that it is full."""
        return address in self._full

    def is_news(self, address: str, now_ms: int, *, is_full: bool) -> bool:
        """Note what is so now; tell whether it is to be said."""
        if not is_full:
            return self._full.pop(address, None) is not None
        said_ms = self._full.get(address)
        if said_ms is not None and now_ms < said_ms + AGAIN_MS:
            return False
        self._full[address] = now_ms
        return True
