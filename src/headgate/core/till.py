"""One shard's tenants in the ledger: its state at work, the calls that wait for room, and what
becomes of calls.

Written once per record, as Gate's shards are. What waits is in memory alone: with a failover all
of Gate's requests are sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from headgate.core.budgets import NO_BUDGETS, Budgets
from headgate.core.entries import Entries
from headgate.core.inherited import Inherited
from headgate.core.ledger import Granted, Ledger, MustWait, Spent, Verdict
from headgate.core.once import Once
from headgate.core.spent import busy_refusal_of, refusal_of
from headgate.core.stand_in import hand_over
from headgate.v1.cost_pb2 import Account, Ask, LedgerInput, Settlement, Terms
from headgate.v1.turn_pb2 import AgentSpec, Call, Decision, InvokeRequest, Outcome

WAITING_BYTES = 64_000_000
"""Requests that wait for room at most, of all shards that one process has. What comes beyond is
told to come again in a second, which costs a record of the journal each.
"""

TOLD_ROUNDS = 10
"""An account that has stood still for so many rounds of telling needs no telling after a failover:
what was told had seconds to be written.
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the registry says that the ledger goes by.

    ``stand_ins`` are the agent types that may take turns in another's stead now.
    """

    budgets: Budgets = NO_BUDGETS
    stand_ins: Mapping[str, AgentSpec] = field(default_factory=dict)
    currency: str = ""

    @classmethod
    def of(cls, specs: Mapping[str, AgentSpec], budgets: Budgets, terms: Terms) -> Self:
        """Take them from what stands in the registry."""
        able = {name: spec for name, spec in specs.items() if spec.endpoints and not spec.paused}
        return cls(budgets, able, terms.currency)


@dataclass(slots=True)
class Room:
    """Bytes of requests that wait in all tills of a process."""

    used: int = 0


class Till:
    """The ledger of one shard. Its key must be Flink's current key when it is used."""

    def __init__(
        self,
        number: int,
        entries: Entries,
        settled: Entries,
        unsaid: Entries,
        room: Room | None = None,
    ) -> None:
        """``room`` is shared with other tills of the process."""
        self.number = number
        self._entries = entries
        self._settled = settled
        self._unsaid = unsaid
        self.ledger = Ledger(entries.get)
        stored = ((name, settled.get(name) or b"") for name in settled.names())
        self._once = Once(stored)
        # By queue, then by address, oldest first; and the queue of each address.
        self._waiting: dict[tuple[str, ...], dict[str, Ask]] = {}
        self._queues: dict[str, tuple[str, ...]] = {}
        self._room = room or Room()
        self._ready: set[int] = set()
        self._subtasks = 0
        self._inherited = Inherited()
        # Accounts to tell of, and rounds since they last changed.
        self._to_tell: dict[str, Account] = {}
        self._quiet: dict[str, int] = {}
        for name in unsaid.names():
            raw = entries.get("a" + name)
            if raw is not None:
                self._to_tell[name] = Account.FromString(raw)
                self._quiet[name] = 0

    def take(self, given: LedgerInput, rules: Rules) -> list[tuple[int, bytes]]:
        """Settle what was journaled, then let go what may. Returns serialized InvokeRequests, each
        with the shard of the instance that it is for: calls, or outcomes to journal instead.
        """
        self.ledger.see(given.at_us)
        if given.HasField("ready"):
            self._subtasks = given.ready.subtasks
            self._ready.add(given.ready.subtask)
        for settlement in given.settlements:
            self._settle(settlement, rules.budgets)
        for ask in given.asks:
            self._inherited.ask(ask.address)
        if self.is_ready and self._inherited.is_due(self.ledger.at_us):
            # Once in a life: with 100,000 accounts it takes half a second.
            held = [name[1:] for name in self._entries.names() if name[0] == "h"]
            for address in self._inherited.left(held):
                self.ledger.free(address)
        out = [self._act(ask, verdict, rules) for ask, verdict in self._look_again(rules)]
        for ask in given.asks:
            # Behind what waits already: small calls must not starve a large one. Where nothing
            # waits, what is held is not read to know it: the ledger reads it next.
            must_queue = bool(self._waiting) and self._queue_of(ask) in self._waiting
            verdict = MustWait() if must_queue else self._judge(ask, rules)
            if not isinstance(verdict, MustWait):
                out.append(self._act(ask, verdict, rules))
            elif not self._wait(ask):
                outcome = busy_refusal_of(_call_of(ask))
                out.append((ask.partition, _decided(outcome, ask.partition)))
        return out

    @property
    def is_ready(self) -> bool:
        """Whether all Gate subtasks have read what was journaled before: what was paid is known."""
        return bool(self._subtasks) and len(self._ready) >= self._subtasks

    def _judge(self, ask: Ask, rules: Rules) -> Verdict:
        return self.ledger.ask(ask, rules.budgets, rules.stand_ins) if self.is_ready else MustWait()

    def _act(self, ask: Ask, verdict: Granted | Spent, rules: Rules) -> tuple[int, bytes]:
        if isinstance(verdict, Spent):
            at_us, currency = self.ledger.at_us, rules.currency
            outcome = refusal_of(_call_of(ask), verdict, at_us=at_us, currency=currency)
            return ask.partition, _decided(outcome, ask.partition)
        if not verdict.stand_in:
            return ask.partition, ask.request
        request = InvokeRequest.FromString(ask.request)
        hand_over(request.call, rules.stand_ins[verdict.stand_in])
        return ask.partition, request.SerializeToString()

    def _settle(self, settlement: Settlement, budgets: Budgets) -> None:
        if self._once.is_new(settlement.outcome_id, settlement.partition, settlement.at_us):
            self.ledger.settle(settlement, budgets)
        waiting = self._find(settlement.address)
        if waiting is not None and waiting.base == settlement.base:
            # Cancelled, or answered by an earlier life.
            self._let_go(waiting)

    def _wait(self, ask: Ask) -> bool:
        before = self._find(ask.address)
        if before is not None:
            self._let_go(before)
        size = len(ask.request)
        if self._room.used + size > WAITING_BYTES:
            return False
        queue = self._queues[ask.address] = self._queue_of(ask)
        self._waiting.setdefault(queue, {})[ask.address] = ask
        self._room.used += size
        return True

    def _find(self, address: str) -> Ask | None:
        queue = self._queues.get(address)
        return None if queue is None else self._waiting[queue][address]

    def _look_again(self, rules: Rules) -> Iterator[tuple[Ask, Granted | Spent]]:
        """Yield calls that need not wait any more, oldest first, and what became of them."""
        if not self.is_ready:
            return
        for queue in list(self._waiting.values()):
            while queue:
                ask = next(iter(queue.values()))
                verdict = self._judge(ask, rules)
                if isinstance(verdict, MustWait):
                    break
                self._let_go(ask)
                yield ask, verdict

    def _let_go(self, ask: Ask) -> None:
        name = self._queues.pop(ask.address)
        queue = self._waiting[name]
        del queue[ask.address]
        self._room.used -= len(ask.request)
        if not queue:
            del self._waiting[name]

    def _queue_of(self, ask: Ask) -> tuple[str, ...]:
        """Return where a call waits: with those of its tenant and agent type; alone, where what it
        costs is held already, so that nothing else waits for what it waits behind.
        """
        if self.ledger.is_held(ask):
            return (ask.address,)
        return ask.tenant, ask.address.partition("/")[0]

    @property
    def has_news(self) -> bool:
        """Whether accounts have changed of late."""
        return bool(self._quiet)

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


def _call_of(ask: Ask) -> Call:
    return InvokeRequest.FromString(ask.request).call


def _decided(outcome: Outcome, partition: int) -> bytes:
    decision = Decision(outcome=outcome, partition=partition)
    return InvokeRequest(decide=decision).SerializeToString()
