"""What Gate tells the ledger: calls that it asks for, outcomes that it has read, and the time.

Gathered while a record is worked on; one message for each shard of tenants that it is about.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.budgets import NO_BUDGETS, Budgets
from headgate.core.identity import address_of, partition_of
from headgate.core.model import OutcomeRead
from headgate.v1.cost_pb2 import LedgerInput, Settlement
from headgate.v1.turn_pb2 import Call

Billed = tuple[str, bytes]
"""The key of a shard of tenants, and the bytes of a `LedgerInput` for it."""


class Billing:
    """Gathers messages for the ledger.

    ``budgets`` are those that the registry has now; ``changed_us`` is when somebody last changed
    one, microseconds since the epoch: by the clock of who changed it, or of who saw it change.
    ``gathered`` is what `give` has to hand over, by shard of tenants; mostly nothing.
    """

    def __init__(self, shard_keys: Sequence[str]) -> None:
        self.budgets = NO_BUDGETS
        self.changed_us = 0
        self._keys = tuple(shard_keys)
        self._at_us = 0
        self.gathered: dict[int, LedgerInput] = {}
        # Shards that were asked in this life: they may have calls that wait for time to go by.
        self._asked: set[int] = set()

    def know(self, budgets: Budgets, now_us: int) -> None:
        """Go by these budgets from now on."""
        if budgets is self.budgets:
            return
        # The first ones of a life may be old. Of later ones it is known that they are news, though
        # the clock of who wrote them may be an hour behind.
        is_news = bool(self.budgets.rules)
        self.budgets = budgets
        self.changed_us = max(self.changed_us, budgets.changed_us, now_us if is_news else 0)

    def is_counted(self, tenant: str, agent_type: str) -> bool:
        """Tell whether calls of an agent type for a tenant need leave."""
        return bool(self.budgets.counting(tenant, agent_type))

    def ask(self, call: Call, estimate_nanos: int, request: bytes) -> None:
        """Ask for a call; ``request`` is the InvokeRequest that it is a part of."""
        shard = self._shard_of(call.tenant)
        self._asked.add(shard)
        ask = self._input(shard).asks.add()
        wanted = call.request
        ask.address = address_of(wanted.agent_type, wanted.key)
        ask.base = wanted.base
        ask.tenant = call.tenant
        ask.partition = call.partition
        ask.estimate_nanos = estimate_nanos
        ask.events = len(wanted.events)
        ask.request = request

    @property
    def is_on(self) -> bool:
        """Whether the ledger has anything to do with any call."""
        return bool(self.budgets.rules or self._asked)

    def settle(self, read: OutcomeRead, tenant: str, *, is_sure: bool) -> None:
        """Tell of an outcome that was read from the journal, whether or not it applies.

        is_sure: the budgets are known. Of those that count in none, none is told then.
        """
        outcome, shard = read.outcome, self._shard_of(tenant)
        is_known = shard in self._asked or self.is_counted(tenant, outcome.agent_type)
        shards = {shard} if is_known or not is_sure else set()
        if not outcome.tenant and not outcome.called_us:
            # An operator's control. Whose the call was that it ends, only the ledger knows that
            # holds for it: the agent may have been detached since, or have other tenants, or not
            # been read of yet in this life.
            shards = set(range(len(self._keys))) if self.is_on or not is_sure else set()
        if not shards:
            return
        settlement = Settlement(
            outcome_id=outcome.outcome_id,
            address=address_of(outcome.agent_type, outcome.key),
            base=outcome.base,
            tenant=tenant,
            stand_in=outcome.stand_in,
            cost_nanos=outcome.cost_nanos,
            at_us=read.appended_ms * 1_000,
            called=bool(outcome.called_us),
            failed=outcome.HasField("failed"),
            partition=read.partition,
            events=len(outcome.taken) or outcome.failed.batch or 1,
        )
        for each in sorted(shards):
            self._input(each).settlements.append(settlement)

    def greet(self, subtask: int, subtasks: int) -> None:
        """Tell every shard that this Gate subtask has read what was journaled before its life."""
        for shard in range(len(self._keys)):
            ready = self._input(shard).ready
            ready.subtask, ready.subtasks = subtask, subtasks

    def see(self, appended_ms: int) -> None:
        """Learn how late it is from a tick, and pass it on."""
        self._at_us = max(self._at_us, appended_ms * 1_000)
        for shard in self._asked:
            self._input(shard)

    def give(self) -> list[Billed]:
        """Hand over what has been gathered."""
        if not self.gathered:
            return []
        out: list[Billed] = []
        for shard, given in self.gathered.items():
            given.at_us = self._at_us
            out.append((self._keys[shard], given.SerializeToString()))
        self.gathered.clear()
        return out

    def _shard_of(self, tenant: str) -> int:
        return partition_of(tenant.encode(), len(self._keys))

    def _input(self, shard: int) -> LedgerInput:
        found = self.gathered.get(shard)
        if found is None:
            found = self.gathered[shard] = LedgerInput(shard=shard)
        return found
