"""What Gate tells the ledger: calls that need leave, outcomes, and that it has read the journal."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.core.budgets import NO_BUDGETS, Budgets
from headgate.core.identity import genesis_base, partition_of
from headgate.flink.outputs import Output
from headgate.flink.rows import BILLED
from headgate.kafka.table import Shown
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET
from headgate.v1.cost_pb2 import Budget, LedgerInput, Price, Tenancy, Terms
from headgate.v1.turn_pb2 import AgentSpec, JournalRecord, Outcome, Tick
from tests.flink.test_gate import (
    KEYS,
    Context,
    Stored,
    fresh_gate,
    give,
    journal,
    make_ready,
    requests_of,
    shard_of,
)

ADDRESS = "order/acme:1"
HOUR_MS = 3_600_000
POT = Budget(name="pot", per=Budget.TENANT, window=Budget.HOUR, limit_nanos=1)
POT.when_spent = Budget.DEFER


def show(gate: Any, *budgets: Budget, terms: Terms | None = None) -> None:
    """Let the registry say so."""
    spec = AgentSpec(type="order", endpoints=["127.0.0.1:9"], tenancy=Tenancy(before=":"))
    spec.estimate_nanos = 7
    shown = Shown({"order": spec}, position=7, budgets=Budgets(budgets) if budgets else NO_BUDGETS)
    gate._table = SimpleNamespace(
        shown=shown._replace(terms=terms) if terms else shown, is_complete=True
    )


@pytest.fixture
def gate() -> Any:
    made = fresh_gate(Stored(), Stored())
    show(made, POT)
    made._outputs.give()
    return made


def billed(out: list[Any]) -> list[LedgerInput]:
    """What goes to the ledger, by the key of the tenant's shard."""
    found = []
    for tag, row, *_ in out:
        if tag is BILLED:
            key, value = row._values
            given = LedgerInput.FromString(value)
            assert KEYS[given.shard] == key
            found.append(given)
    return found


def refused(key: str) -> Outcome:
    made = Outcome(agent_type="order", key=key, base=genesis_base(f"order/{key}"), turn=1)
    made.outcome_id, made.tenant = b"r" * 16, "acme"
    made.failed.code, made.failed.retry_after_ms = FAILURE_CODE_BUDGET, HOUR_MS
    return made


def tick(gate: Any, shard: int, appended_ms: int = 3_000) -> list[Output]:
    raw = JournalRecord(tick=Tick(nonce=b"another", partition=shard, partitions=2))
    row = (KEYS[shard], raw.SerializeToString(), shard, 9, appended_ms)
    out: list[Output] = gate.process_element2(row, Context())
    return out


def test_a_call_that_a_budget_counts_goes_to_the_ledger_and_no_other_way(gate: Any) -> None:
    make_ready(gate)
    out = give(gate, ADDRESS)
    assert requests_of(out) == []
    (given,) = billed(out)
    (ask,) = given.asks
    assert given.shard == partition_of(b"acme", len(KEYS))
    assert (ask.address, ask.tenant, ask.estimate_nanos, ask.events) == (ADDRESS, "acme", 7, 1)
    assert (ask.base, ask.partition) == (genesis_base(ADDRESS), shard_of(ADDRESS))


def test_without_a_budget_it_goes_to_invoke(gate: Any) -> None:
    show(gate)
    make_ready(gate)
    out = give(gate, ADDRESS)
    assert billed(out) == []
    assert [each.call.tenant for each in requests_of(out)] == ["acme"]


def test_every_shard_hears_once_that_the_journal_has_been_read(gate: Any) -> None:
    give(gate, ADDRESS)
    told = billed(make_ready(gate))
    assert {given.shard for given in told if given.HasField("ready")} == {0, 1}
    assert all(given.ready.subtasks == 1 for given in told)
    # What was held back comes with it, and the ledger looks at that last.
    assert [ask.address for given in told for ask in given.asks] == [ADDRESS]
    assert not any(given.HasField("ready") for given in billed(tick(gate, 0)))


def test_every_outcome_is_told_also_one_that_lost(gate: Any) -> None:
    late = refused("acme:1")
    late.base, late.outcome_id, late.cost_nanos, late.called_us = b"x" * 16, b"l" * 16, 5, 1
    out = journal(gate, refused("acme:1"), late, shard=shard_of(ADDRESS))
    (given,) = billed(out)
    assert [each.outcome_id[:1] for each in given.settlements] == [b"r", b"l"]
    assert [each.called for each in given.settlements] == [False, True]
    assert {each.address for each in given.settlements} == {ADDRESS}
    assert given.settlements[1].cost_nanos == 5


def test_what_is_journaled_before_the_registry_is_known_is_told_in_any_case(gate: Any) -> None:
    show(gate)
    gate._table.is_complete = False
    assert billed(journal(gate, refused("acme:1"), shard=shard_of(ADDRESS)))
    gate._table.is_complete = True
    assert not billed(journal(gate, refused("acme:1"), shard=shard_of(ADDRESS)))


def test_who_was_asked_hears_what_time_it_is(gate: Any) -> None:
    make_ready(gate)
    assert billed(tick(gate, 0)) == []
    give(gate, ADDRESS)
    (given,) = billed(tick(gate, 0, 5_000))
    assert given.at_us == 5_000_000
    (given,) = billed(tick(gate, 1, 4_000))
    assert given.at_us == 5_000_000, "time does not go back"


@pytest.mark.parametrize("updated_ms", [0, 1])
def test_a_changed_budget_wakes_who_waits_though_its_clock_is_behind(
    gate: Any, updated_ms: int
) -> None:
    make_ready(gate)
    give(gate, ADDRESS)
    shard = shard_of(ADDRESS)
    context = Context(KEYS[shard])
    now_ms = time.time_ns() // 1_000_000 - 5
    raw = JournalRecord(outcome=refused("acme:1")).SerializeToString()
    gate.process_element2((KEYS[shard], raw, shard, 17, now_ms), context)
    assert billed(gate.on_timer(now_ms + 60_000, context)) == [], "it waits for the window"
    raised = Budget()
    raised.CopyFrom(POT)
    raised.limit_nanos, raised.updated_ms = 100, updated_ms
    show(gate, raised)
    tick(gate, shard)
    out = gate.on_timer(0, context)
    asked = [ask for given in billed(out) for ask in given.asks]
    assert [ask.address for ask in asked] == [ADDRESS]


def test_invoke_hears_of_prices_before_the_first_call(gate: Any) -> None:
    terms = Terms(currency="USD", prices=[Price(agent="order", call_nanos=3)], updated_ms=1)
    show(gate, terms=terms)
    requests = requests_of(make_ready(gate) + give(gate, ADDRESS))
    assert [each.WhichOneof("kind") for each in requests] == ["terms", "call"]
    assert requests[0].terms == terms
    assert [each.WhichOneof("kind") for each in requests_of(give(gate, "order/acme:2"))] == ["call"]


class Turning:
    """A registry that is read to its end by another thread, after so many looks at it."""

    def __init__(self, looks: int) -> None:
        self._looks = looks
        spec = AgentSpec(type="order", endpoints=["127.0.0.1:9"], tenancy=Tenancy(before=":"))
        self._all = Shown({"order": spec}, position=7, budgets=Budgets((POT,)))

    def _look(self) -> bool:
        self._looks -= 1
        return self._looks < 0

    @property
    def shown(self) -> Shown:
        return self._all if self._look() else Shown()

    @property
    def is_complete(self) -> bool:
        return self._look()


@pytest.mark.parametrize("looks", range(6))
def test_outcomes_are_told_whenever_the_registry_becomes_complete(looks: int) -> None:
    gate = fresh_gate(Stored(), Stored())
    gate._table = Turning(looks)
    lost = []
    for number in range(3):
        made = refused("acme:1")
        made.base, made.outcome_id = b"x" * 16, bytes([number]) * 16
        made.cost_nanos, made.called_us = 5, 1
        lost.append(made)
    told = billed(journal(gate, *lost, shard=shard_of(ADDRESS)))
    assert [len(given.settlements) for given in told] == [3]


@pytest.mark.parametrize("looks", range(6))
def test_nobody_is_asked_before_it_is_known_who_is_there(looks: int) -> None:
    entries, due = Stored(), Stored()
    first = fresh_gate(entries, due)
    make_ready(first)
    give(first, ADDRESS)
    give(first, ADDRESS, number=1)
    # The next life has read the journal, and the registry not yet.
    gate = fresh_gate(entries, due)
    gate._table = Turning(1_000)
    make_ready(gate)
    gate._table = Turning(looks)
    done = Outcome(agent_type="order", key="acme:1", base=genesis_base(ADDRESS), turn=1)
    done.outcome_id, done.called_us = b"q" * 16, 1
    done.completed.SetInParent()
    done.taken.add().fingerprint = (0).to_bytes(16, "big")
    out = journal(gate, done, shard=shard_of(ADDRESS))
    calls = [each.call for each in requests_of(out) if each.HasField("call")]
    asks = [ask for given in billed(out) for ask in given.asks]
    assert not calls, "a budget counts it"
    assert all(ask.tenant == "acme" for ask in asks)


def test_an_outcome_is_told_although_all_budgets_were_dropped_since(gate: Any) -> None:
    make_ready(gate)
    assert billed(give(gate, ADDRESS))
    show(gate)
    (given,) = billed(journal(gate, refused("acme:1"), shard=shard_of(ADDRESS)))
    assert [each.tenant for each in given.settlements] == ["acme"]
