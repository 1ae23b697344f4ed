"""What earlier lives of the ledger left held, and nobody asks for any more."""

from __future__ import annotations

from collections.abc import Iterable

LEFT_US = 120_000_000
"""How long after a start, microseconds. Gate asks again for every call that a failover took from
it, half a minute after that at the latest. What nobody has asked for by then goes no more by this
ledger: its budget was dropped, or its agent has other tenants, so that its outcome is told to
others or to none. Held for ever, it would be room that no call gets, and no outcome frees.
"""


class Inherited:
    """Knows which calls a life of the ledger was asked for, until it has looked once at what else
    is held.
    """

    def __init__(self) -> None:
        self._asked: set[str] | None = set()
        self._since_us = 0

    def ask(self, address: str) -> None:
        """An instance's call is asked for in this life."""
        if self._asked is not None:
            self._asked.add(address)

    def is_due(self, now_us: int) -> bool:
        """Tell whether it is time to look; once in a life. Called when all that was journaled
        before is known; microseconds of the protocol's time.
        """
        if self._asked is None:
            return False
        self._since_us = self._since_us or now_us
        return now_us >= self._since_us + LEFT_US

    def left(self, held: Iterable[str]) -> list[str]:
        """Return which of the addresses that something is held for nobody asked for."""
        asked, self._asked = self._asked or set(), None
        return [address for address in held if address not in asked]
