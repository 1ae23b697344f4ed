"""What the ledger is told: by all who may hold something for a call, and of each outcome once."""

from __future__ import annotations

from headgate.core.billing import Billed, Billing
from headgate.core.budgets import Budgets
from headgate.core.identity import partition_of
from headgate.core.model import OutcomeRead
from headgate.v1.agent_pb2 import Event, TurnRequest
from headgate.v1.cost_pb2 import Budget, LedgerInput, Settlement
from headgate.v1.turn_pb2 import Call, Failed, Outcome

SHARDS = 8
BASE = b"b" * 16
POT = Budget(name="pot", per=Budget.TENANT, window=Budget.HOUR, when_spent=Budget.DEFER)


def asking(tenant: str = "acme") -> Billing:
    """Return what has asked for a call of a tenant."""
    billing = Billing([str(number) for number in range(SHARDS)])
    billing.budgets = Budgets([POT])
    request = TurnRequest(agent_type="order", key="17", base=BASE)
    billing.ask(Call(request=request, tenant=tenant), 40, b"call")
    billing.give()
    return billing


def told(out: list[Billed]) -> dict[int, list[Settlement]]:
    """Return settlements by the shard that they were told to."""
    given = [LedgerInput.FromString(raw) for _, raw in out]
    return {each.shard: list(each.settlements) for each in given}


def read(**fields: object) -> OutcomeRead:
    outcome = Outcome(agent_type="order", key="17", base=BASE, outcome_id=b"o" * 16)
    outcome.MergeFrom(Outcome(**fields))  # type: ignore[arg-type]
    return OutcomeRead(outcome, b"", 5_000, 3, 0)


def shard_of(tenant: str) -> int:
    return partition_of(tenant.encode(), SHARDS)


def test_a_control_is_told_to_whoever_holds_for_the_call_that_it_ends() -> None:
    """The agent was detached: nobody else knows whose the call was."""
    assert shard_of("acme") != shard_of("default")
    billing = asking("acme")
    billing.settle(read(), "default", is_sure=True)
    found = told(billing.give())
    assert found[shard_of("acme")][0].base == BASE
    assert not found[shard_of("acme")][0].called


def test_a_control_that_is_read_before_the_registry_is_told_to_all() -> None:
    """After a failover nobody has been asked, and what is held is of the life before."""
    billing = Billing([str(number) for number in range(SHARDS)])
    billing.settle(read(), "default", is_sure=False)
    assert list(told(billing.give())) == list(range(SHARDS))
    billing.settle(read(), "default", is_sure=True)
    assert billing.give() == [], "a job without budgets has nothing held"


def test_what_was_paid_is_told_to_its_tenants_shard_alone() -> None:
    billing = asking("acme")
    billing.settle(read(called_us=1, tenant="default", cost_nanos=9), "default", is_sure=True)
    found = told(billing.give())
    assert list(found) == [shard_of("default")]
    settled = found[shard_of("default")][0]
    assert (settled.called, settled.cost_nanos) == (True, 9)
    assert (settled.at_us, settled.partition) == (5_000_000, 3)


def test_of_what_counts_in_nothing_nobody_is_told_once_that_is_sure() -> None:
    billing = Billing([str(number) for number in range(SHARDS)])
    billing.settle(read(called_us=1, tenant="acme"), "acme", is_sure=True)
    assert billing.give() == []
    billing.settle(read(called_us=1, tenant="acme"), "acme", is_sure=False)
    assert list(told(billing.give())) == [shard_of("acme")]


def test_time_is_passed_on_to_those_that_were_asked() -> None:
    billing = asking("acme")
    billing.see(7_000)
    given = [LedgerInput.FromString(raw) for _, raw in billing.give()]
    assert [(each.shard, each.at_us) for each in given] == [(shard_of("acme"), 7_000_000)]


def test_a_batch_is_asked_for_as_many_events_and_settled_for_as_many() -> None:
    billing = Billing([str(number) for number in range(SHARDS)])
    billing.budgets = Budgets([POT])
    request = TurnRequest(agent_type="order", key="17", base=BASE, events=[Event()] * 3)
    billing.ask(Call(request=request, tenant="acme"), 40, b"call")
    ((_, raw),) = billing.give()
    assert [each.events for each in LedgerInput.FromString(raw).asks] == [3]
    failed = read(tenant="acme", called_us=1, stand_in="small", failed=Failed(batch=3))
    billing.settle(failed, "acme", is_sure=True)
    (settled,) = told(billing.give())[shard_of("acme")]
    assert (settled.events, settled.stand_in, settled.failed) == (3, "small", True)


def test_when_a_budget_was_changed_never_goes_back() -> None:
    billing = Billing([str(number) for number in range(SHARDS)])
    newer, older = Budget(), Budget()
    for each, updated_ms in ((newer, 9), (older, 4)):
        each.CopyFrom(POT)
        each.updated_ms = updated_ms
    billing.know(Budgets([newer]), 0)
    changed_us = billing.changed_us
    assert changed_us == 9_000
    billing.know(Budgets([older]), 0)
    assert billing.changed_us == changed_us
