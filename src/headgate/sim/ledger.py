"""The ledger in memory: hands Gate's messages to the pure till. It has no rules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headgate.core.budgets import NO_BUDGETS, Budgets
from headgate.core.prices import NO_TERMS
from headgate.core.till import Rules, Till
from headgate.v1.cost_pb2 import LedgerInput, Terms


@dataclass(frozen=True, slots=True)
class Money:
    """What calls cost, and what may be spent."""

    terms: Terms = field(default_factory=lambda: NO_TERMS)
    budgets: Budgets = NO_BUDGETS


class Entries(dict[str, bytes]):
    """Named bytes in memory: `headgate.core.entries.Entries`."""

    def put_all(self, entries: Mapping[str, bytes | None]) -> None:
        """Store or remove (None) entries."""
        for name, value in entries.items():
            if value is None:
                self.pop(name, None)
            else:
                self[name] = value

    def names(self) -> Iterator[str]:
        """Return the names of all entries."""
        return iter(list(self))


@dataclass(slots=True)
class Books:
    """What is stored of one shard of tenants."""

    entries: Entries = field(default_factory=Entries)
    settled: Entries = field(default_factory=Entries)
    unsaid: Entries = field(default_factory=Entries)

    def copy(self) -> Books:
        """Return a snapshot that later records do not touch."""
        return Books(Entries(self.entries), Entries(self.settled), Entries(self.unsaid))


class Ledger:
    """One life of the ledger. ``given`` is what Gate has sent and it has not read."""

    def __init__(self, books: dict[int, Books], rules: Rules) -> None:
        self.books = books
        self.rules = rules
        self.given: deque[bytes] = deque()
        self.tills: dict[int, Till] = {}

    def read(self) -> list[tuple[int, bytes]]:
        """Take the next message in; returns InvokeRequests with the shards that they are for."""
        given = LedgerInput.FromString(self.given.popleft())
        till = self.tills.get(given.shard)
        if till is None:
            books = self.books.setdefault(given.shard, Books())
            till = self.tills[given.shard] = Till(
                given.shard, books.entries, books.settled, books.unsaid
            )
        out = till.take(given, self.rules)
        till.write()
        return out

    def snapshot(self) -> dict[int, Books]:
        """Return what a checkpoint keeps; only once all that Gate sent before it is read."""
        return {shard: books.copy() for shard, books in self.books.items()}
