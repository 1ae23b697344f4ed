"""Named bytes that a host keeps: what the parts of the ledger store their state in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol


class Entries(Protocol):
    """Named bytes of one key of the host's."""

    def get(self, name: str, /) -> bytes | None:
        """Return an entry's bytes."""

    def put_all(self, entries: Mapping[str, bytes | None], /) -> None:
        """Store or remove (None) entries."""

    def names(self) -> Iterator[str]:
        """Return the names of all entries."""
