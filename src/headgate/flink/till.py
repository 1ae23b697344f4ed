"""One shard's tenants in the ledger: its state at work, and the calls that wait for room.

Written once per record, as Gate's shards are. What waits is in memory alone: with a failover all
of Gate's requests are sent again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from headgate.core.budgets import Budgets
from headgate.core.ledger import Ledger, MustWait, Verdict
from headgate.core.once import Once
from headgate.flink.storage import Entries
from headgate.v1.cost_pb2 import Account, Ask, Ready, Settlement

WAITING_BYTES = 64_000_000
"""Requests that wait for room at most, of one shard's tenants. What comes beyond is told to come
again in a second, which costs a record of the journal each.
"""

TOLD_ROUNDS = 10
"""An account that has stood still for so many rounds of telling needs no telling after a failover:
what was told had seconds to be written.
"""


class Till:
    """The ledger of one shard. Its key must be Flink's current key when it is used."""

    def __init__(self, number: int, entries: Entries, settled: Entries, unsaid: Entries) -> None:
        self.number = number
        self._entries = entries
        self._settled = settled
        self._unsaid = unsaid
        self.ledger = Ledger(entries.get)
        stored = ((name, settled.get(name) or b"") for name in settled.names())
        self._once = Once(stored)
        self._waiting: dict[str, Ask] = {}
        self._waiting_bytes = 0
        self._queues: Counter[tuple[str, str]] = Counter()
        self._ready: set[int] = set()
        self._subtasks = 0
        # Accounts to tell of, and rounds since they last changed.
        self._to_tell: dict[str, Account] = {}
        self._quiet: dict[str, int] = {}
        for name in unsaid.names():
            raw = entries.get("a" + name)
            if raw is not None:
                self._to_tell[name] = Account.FromString(raw)
                self._quiet[name] = 0

    def settle(self, settlement: Settlement, budgets: Budgets) -> None:
        """Take an outcome in, once."""
        if self._once.is_new(settlement.outcome_id, settlement.at_us):
            self.ledger.settle(settlement, budgets)
        waiting = self._waiting.get(settlement.address)
        if waiting is not None and waiting.base == settlement.base:
            # Cancelled, or answered by an earlier life.
            self._let_go(waiting)

    def wait(self, ask: Ask) -> bool:
        """Keep a call until there is room; False if too much waits already."""
        before = self._waiting.get(ask.address)
        if before is not None:
            self._let_go(before)
        size = len(ask.request)
        if self._waiting_bytes + size > WAITING_BYTES:
            return False
        self._waiting[ask.address] = ask
        self._waiting_bytes += size
        self._queues[_queue_of(ask)] += 1
        return True

    def look_again(self, judge: Callable[[Ask], Verdict]) -> list[tuple[Ask, Verdict]]:
        """Return calls that need not wait any more, oldest first, and what became of them.

        Those behind one that must wait are not asked for: see `must_queue`.
        """
        done: list[tuple[Ask, Verdict]] = []
        held_up: set[tuple[str, str]] = set()
        for ask in list(self._waiting.values()):
            queue = _queue_of(ask)
            if queue in held_up:
                continue
            verdict = judge(ask)
            if isinstance(verdict, MustWait):
                held_up.add(queue)
                continue
            self._let_go(ask)
            done.append((ask, verdict))
        return done

    def must_queue(self, ask: Ask) -> bool:
        """Tell whether earlier calls of this tenant and agent type wait."""
        return _queue_of(ask) in self._queues

    def greet(self, ready: Ready) -> None:
        """Note that a Gate subtask has read all that was journaled before its life."""
        self._subtasks = ready.subtasks
        self._ready.add(ready.subtask)

    @property
    def is_ready(self) -> bool:
        """Whether all Gate subtasks have: what was paid is known."""
        return bool(self._subtasks) and len(self._ready) >= self._subtasks

    @property
    def has_news(self) -> bool:
        """Whether accounts have changed of late."""
        return bool(self._quiet)

    def _let_go(self, ask: Ask) -> None:
        del self._waiting[ask.address]
        self._waiting_bytes -= len(ask.request)
        queue = _queue_of(ask)
        self._queues[queue] -= 1
        if not self._queues[queue]:
            del self._queues[queue]

    def write(self) -> None:
        """Write what has changed since the last time."""
        ledger = self.ledger
        if ledger.changes:
            self._entries.put_all(ledger.changes)
            ledger.changes = {}
        changes = dict(self._once.changes())
        if changes:
            self._settled.put_all(changes)
        if ledger.changed:
            new = {name: b"" for name in ledger.changed if name not in self._quiet}
            if new:
                self._unsaid.put_all(new)
            self._to_tell |= ledger.changed
            self._quiet |= dict.fromkeys(ledger.changed, 0)
            ledger.changed = {}

    def tell(self) -> dict[str, Account]:
        """Return the accounts that changed since the last round, by name."""
        told, self._to_tell = self._to_tell, {}
        for name in list(self._quiet):
            self._quiet[name] += 1
            if self._quiet[name] > TOLD_ROUNDS:
                del self._quiet[name]
                self._unsaid.put_all({name: None})
        return told


def _queue_of(ask: Ask) -> tuple[str, str]:
    return ask.tenant, ask.address.partition("/")[0]
