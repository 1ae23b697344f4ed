"""The ledger: the keyed operator that hosts `core.till`, between Gate and Invoke.

Keyed by the shard of a call's tenant, not of its instance. Its one input are the bytes of a
`LedgerInput`: what Gate asks for and what was journaled, in the order in which Gate came to it, so
that no call is let go before what Gate had read is settled. Outputs are rows `(key, request)` for
the Invoke that has the instance's shard: calls that may be made, refusals to journal, and what the
spending topic is told.

Only calls of agents with budgets come this way. Like Invoke it keeps the promise of rule 7: what
was handed to it is held, passed on or journaled, and need not be sent again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from pyflink.datastream import RuntimeContext
from pyflink.datastream.functions import KeyedProcessFunction

from headgate.bootstrap import Bootstrap
from headgate.core.batch import pack_requests
from headgate.core.prices import NO_TERMS
from headgate.core.till import Room, Rules, Till
from headgate.flink.budget_figures import BudgetFigures
from headgate.flink.exposed import Exposed
from headgate.flink.rows import LightRow
from headgate.flink.storage import StoredEntries
from headgate.kafka.shared_table import SharedTable
from headgate.kafka.table import Shown
from headgate.v1.cost_pb2 import LedgerInput, Terms
from headgate.v1.turn_pb2 import InvokeRequest, Note

ROUND_MS = 1_000
"""How often the spending topic is told of accounts that changed: what people and metrics see of
them is no older, and a busy account costs a record a second, not one for each call.
"""

REGISTRY_SECONDS = 60.0
"""A broker that restarts is back by then; a job that cannot read its registry had better say so
than spend money that nobody counts. Flink starts it anew.
"""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What the ledger needs to know. ``shard_keys[n]`` is the key of shard n."""

    bootstrap: Bootstrap
    registry: str
    spending: str
    shard_keys: tuple[str, ...]


class LedgerHost(KeyedProcessFunction):
    """Lets calls go, one shard of tenants at a time."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._settings = settings
        # None where no Flink is around it.
        self._exposed: Exposed | None = None

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open state and follow the registry."""
        self._entries = StoredEntries(runtime_context, "ledger")
        self._settled = StoredEntries(runtime_context, "settled")
        self._unsaid = StoredEntries(runtime_context, "unsaid")
        # PyFlink's own getter is broken in thread mode; the Java object behind it is not.
        self._exposed = Exposed(runtime_context._runtime_context.getMetricGroup())
        self._registry = SharedTable(self._settings.bootstrap, self._settings.registry)
        self._table = self._registry.table
        # Whatever was journaled comes next, and which budgets it counts in must be known by then.
        if not self._table.await_complete(REGISTRY_SECONDS):
            self._registry.close()
            message = (
                f"the registry {self._settings.registry} at {self._settings.bootstrap} could not "
                f"be read within {REGISTRY_SECONDS:.0f} s: {self._table.trouble or 'it is slow'}"
            )
            raise RuntimeError(message)
        self._begin_life()

    def _begin_life(self) -> None:
        keys = self._settings.shard_keys
        self._numbers = {key: number for number, key in enumerate(keys)}
        self._tills: dict[int, Till] = {}
        self._room = Room()
        # When the timers ring that shards of tenants have, milliseconds.
        self._rounds: dict[int, int] = {}
        self._shown = Shown()
        self._rules = Rules()
        self._figures = BudgetFigures()
        # What each shard of instances was last told of prices: Invoke has them before a call.
        self._terms: dict[int, Terms] = {}
        self._requests: defaultdict[int, list[bytes]] = defaultdict(list)

    def close(self) -> None:
        """Stop following the registry."""
        self._registry.close()

    def process_element(self, value: bytes, ctx: Any) -> list[LightRow]:
        """Settle what was journaled, then let go what may."""
        given = LedgerInput.FromString(bytes(value))
        till = self._till(given.shard)
        shown = self._table.shown
        if shown is not self._shown:
            self._shown, self._rules = shown, Rules.of(shown.specs, shown.budgets, shown.terms)
            self._figures.know(shown.budgets)
            self._show()
        if self._figures.see(given.at_us):
            self._show()
        for partition, request in till.take(given, self._rules):
            self._send(partition, request)
        return self._finish(till, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> list[LightRow]:
        """Tell of accounts that changed, and look at what waits."""
        key = ctx.get_current_key()
        till = self._till(self._numbers[key if isinstance(key, str) else key[0]])
        self._rounds.pop(till.number, None)
        return self._finish(till, ctx, is_round=True)

    def _send(self, partition: int, request: bytes) -> None:
        terms = self._shown.terms
        if self._terms.get(partition, NO_TERMS) is not terms:
            self._terms[partition] = terms
            self._requests[partition].append(InvokeRequest(terms=terms).SerializeToString())
        self._requests[partition].append(request)

    # ------------------------------------------------------------------------------ around a record

    def _till(self, number: int) -> Till:
        till = self._tills.get(number)
        if till is None:
            states = self._entries, self._settled, self._unsaid
            till = self._tills[number] = Till(number, *states, self._room)
        return till

    def _finish(self, till: Till, ctx: Any, *, is_round: bool = False) -> list[LightRow]:
        till.write()
        if is_round:
            told = till.tell()
            self._figures.take(told.values())
            self._show()
            for name, account in told.items():
                note = Note(topic=self._settings.spending, key=name.encode())
                note.value = account.SerializeToString()
                self._requests[till.number].append(InvokeRequest(note=note).SerializeToString())
        if till.has_news:
            due_ms = time.time_ns() // 1_000_000 + ROUND_MS
            # Later than from now on: the clock has been put back, and that one rings too late.
            if self._rounds.get(till.number, due_ms + 1) > due_ms:
                self._rounds[till.number] = due_ms
                ctx.timer_service().register_processing_time_timer(due_ms)
        keys, requests = self._settings.shard_keys, self._requests
        out = [
            LightRow(keys[partition], packed)
            for partition, gathered in requests.items()
            for packed in pack_requests(gathered)
        ]
        requests.clear()
        return out

    def _show(self) -> None:
        if self._exposed is not None:
            self._exposed.show(self._figures)
