"""Random schedules of crashes, zombies, duplicates and controls around a ledger.

Whatever happens, what the ledger says was spent is what the journal says, nothing stays held, and
no call was let go that a budget had no room for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.budgets import Budgets
from headgate.core.windows import window_of
from headgate.sim.driver import settle
from headgate.sim.ledger import Money
from headgate.sim.schedule import Choices, Schedule, Theme
from headgate.sim.scripted import ScriptedAgent
from headgate.sim.world import PaidCall, World
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, TurnRequest
from headgate.v1.cost_pb2 import Account, Budget, Price, Tenancy, Terms
from headgate.v1.turn_pb2 import AgentSpec, JournalRecord, Outcome, Policy
from tests.sim.themes import CRASHES
from tests.sim.verdict import check, wakes

BYTES = 150
TOKEN = 1_000
"""Nanos of a token. A call of `orders` has 100 to 300, one of `small` 10 to 30."""

DEAREST = 300 * TOKEN
TENANTS = ("acme", "brick")
ADDRESSES = ("orders/acme:1", "orders/acme:2", "orders/brick:1", "orders/acme:3")
WEIGHTS = (
    *((name, weight) for name, weight in CRASHES if name != "double_record"),
    ("double_soon", 3),
    ("read_ledger", 6),
    ("crash_back", 1),
    ("control", 2),
    ("read_inbox", 2),
)
TERMS = Terms(currency="USD", prices=[Price(model="scripted", input_nanos=TOKEN * 1_000_000)])


@dataclass(frozen=True)
class Case:
    """Budgets, and what calls are taken to cost."""

    rules: tuple[Budget, ...]
    estimate: int = DEAREST


def budget(name: str, limit: int, **fields: object) -> Budget:
    made = Budget(name=name, limit_nanos=limit, per=Budget.TENANT, window=Budget.HOUR)
    made.when_spent = Budget.DEFER
    made.MergeFrom(Budget(**fields))  # type: ignore[arg-type]
    return made


HOURLY = budget("hourly", 8 * DEAREST)
CASES = {
    "deferred": Case((HOURLY,)),
    "learned": Case((HOURLY,), estimate=0),
    "nested": Case(
        (
            HOURLY,
            budget("each", 4 * DEAREST, per=Budget.INSTANCE),
            budget("all", 40 * DEAREST, window=Budget.TOTAL, per=Budget.AGENT),
        )
    ),
    "given up": Case(
        (budget("once", 5 * DEAREST, window=Budget.TOTAL, when_spent=Budget.DEAD_LETTER),)
    ),
    "degraded": Case(
        (
            budget("dear", 3 * DEAREST, when_spent=Budget.DEGRADE, stand_in="small"),
            budget("all", 20 * DEAREST),
        )
    ),
}


class Watched(World):
    """A world in which each call is looked at when it is made."""

    watches: bool = True

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        # By base: the outcomes that were known when its call was first let go.
        self.granted: dict[bytes, set[bytes]] = {}

    def _paid(self, invoke: object, key: object, call: object) -> None:
        super()._paid(invoke, key, call)  # type: ignore[arg-type]
        if self.watches:
            look(self, self.calls[-1])


def outcomes(world: World) -> list[tuple[int, int, Outcome, int, int]]:
    """Partition, place, outcome, time and life of all that was journaled, each id once."""
    found: dict[bytes, tuple[int, int, Outcome, int, int]] = {}
    for partition, records in enumerate(world.journal.partitions):
        for place, written in enumerate(records):
            if written.key:
                outcome = JournalRecord.FromString(written.value).outcome
                at_us = written.appended_ms * 1_000
                found.setdefault(
                    outcome.outcome_id, (partition, place, outcome, at_us, written.life)
                )
    return list(found.values())


def asked(request: TurnRequest) -> Outcome:
    """What the accounts see of a call that is not answered yet."""
    return Outcome(
        agent_type=request.agent_type, key=request.key, stand_in=request.stand_in, called_us=1
    )


def counts(rule: Budget, outcome: Outcome) -> bool:
    is_waived = rule.when_spent == Budget.DEGRADE and outcome.stand_in == rule.stand_in
    return bool(outcome.called_us) and not (outcome.stand_in and is_waived)


def account_name(rule: Budget, outcome: Outcome) -> tuple[str, ...]:
    tenant = outcome.key.partition(":")[0]
    parts = (rule.name, tenant, outcome.agent_type, outcome.key)
    return parts[: {Budget.TENANT: 2, Budget.AGENT: 3, Budget.INSTANCE: 4}[rule.per]]


def look(world: Watched, paid: PaidCall) -> None:
    """What the ledger could know is within each limit, this call included, where calls cost no more
    than they are taken for.

    A call that a crash took away is made again by what was held for it: what a worker of an earlier
    life has journaled meanwhile does not take that back.
    """
    now_us = world.clock.now_ms * 1_000
    found = outcomes(world)
    known = {
        outcome.outcome_id
        for partition, place, outcome, _, life in found
        if life == paid.life or place < world.start_ticks[partition]
    }
    known &= world.granted.setdefault(paid.request.base, known)
    decided = {outcome.base for _, _, outcome, _, _ in found}
    # What an operator cancelled was in flight, and nothing is held for it any more.
    cancelled = {o.base for _, _, o, _, _ in found if o.HasField("controlled")}
    for rule in world.money.budgets.rules:
        if rule.when_spent == Budget.DEGRADE and paid.request.stand_in == rule.stand_in:
            continue
        window = window_of(rule.window, now_us)
        spent = 0
        mine = asked(paid.request)
        for _, _, outcome, at_us, _ in found:
            is_known = outcome.outcome_id in known and outcome.base not in cancelled
            if not is_known or not counts(rule, outcome) or window_of(rule.window, at_us) != window:
                continue
            if account_name(rule, outcome) == account_name(rule, mine):
                spent += outcome.cost_nanos
        running = [
            each
            for each in world.invoke.running.values()
            # An operator may have decided its turn: what is held for it is free again.
            if each.call.request.base not in decided
            and account_name(rule, asked(each.call.request)) == account_name(rule, mine)
            and counts(rule, asked(each.call.request))
        ]
        in_flight = (len(running) + 1) * DEAREST
        assert spent + in_flight <= rule.limit_nanos, f"{rule.name}: {spent} and {in_flight}"


def play(case: Case, data: bytes) -> Schedule:
    policy = Policy(deadline_ms=10_000, max_attempts=3, max_batch=3, dedup_window_count=1_000)
    policy.on_exhausted, policy.backoff_initial_ms = ADVICE_DEAD_LETTER, 200
    policy.dedup_window_ms = 600_000
    specs: Mapping[str, AgentSpec] = {
        name: AgentSpec(
            type=name,
            endpoints=[f"{name}:1"],
            policy=policy,
            tenancy=Tenancy(before=":"),
            estimate_nanos=case.estimate,
        )
        for name in ("orders", "small")
    }
    world = Watched(
        {"orders": ScriptedAgent(tokens=100), "small": ScriptedAgent(tokens=10)},
        specs,
        topics={"shop": 2, "web": 1},
        skew_ms=(0, 0, 400, -400)[data[0] % 4],
        watch=wakes,
        money=Money(TERMS, Budgets(case.rules)),
    )
    world.watches = bool(case.estimate)
    return Schedule(world, Choices(data[1:]), Theme(ADDRESSES, WEIGHTS, inputs=18))


def check_accounts(world: World, case: Case) -> int:
    """The ledger agrees with the journal; returns how many accounts it has."""
    told: dict[tuple[str, ...], Account] = {}
    for books in world.ledger.books.values():
        for entry, raw in books.entries.items():
            assert entry[0] != "h", f"{entry} is held though nothing is in flight"
            if entry[0] == "a":
                account = Account.FromString(raw)
                parts = (account.budget, account.tenant, account.agent, account.key)
                told[tuple(part for part in parts if part)] = account
    spent: defaultdict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for _, _, outcome, at_us, _ in outcomes(world):
        for rule in case.rules:
            if counts(rule, outcome):
                window = window_of(rule.window, at_us)
                spent[account_name(rule, outcome)][window] += outcome.cost_nanos
    for name, by_window in spent.items():
        account = told[name]
        assert not account.held_nanos, f"{name}: something stays held"
        assert account.spent_nanos == by_window.get(account.window_us, 0), name
        if account.previous_us:
            assert account.previous_nanos == by_window.get(account.previous_us, 0), name
    return len(told)


@pytest.mark.parametrize("name", CASES)
def test_the_ledger_agrees_with_the_journal(name: str) -> None:
    case = CASES[name]
    refused = 0

    @settings(max_examples=settings().max_examples * 2)
    @given(st.binary(min_size=BYTES, max_size=BYTES))
    def run(data: bytes) -> None:
        nonlocal refused
        schedule = play(case, data)
        schedule.play()
        settle(schedule.world)
        check(schedule)
        check_accounts(schedule.world, case)
        for _, _, outcome, _, _ in outcomes(schedule.world):
            refused += outcome.failed.code == 9

    run()
    assert refused, "no schedule ever came to a limit"


def test_what_is_checked_is_checked() -> None:
    """A ledger that forgets a call, or lets one go too many, is found out."""
    case = replace(CASES["deferred"])
    schedule = play(case, bytes(400))
    schedule.play()
    settle(schedule.world)
    assert check_accounts(schedule.world, case) > 0
    for books in schedule.world.ledger.books.values():
        for name, raw in list(books.entries.items()):
            if name[0] == "a":
                account = Account.FromString(raw)
                account.spent_nanos += 1
                books.entries[name] = account.SerializeToString()
    with pytest.raises(AssertionError):
        check_accounts(schedule.world, case)
