"""Prices, tenants' shares and budgets in the registry: from headgate.toml and from bytes.

Prices and shares are one record, which headgate.toml replaces whenever the job starts. A budget is
a record of its own, so that two people may set two of them at once; one that was set while the job
ran stays as it is until it is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal

from google.protobuf.message import DecodeError

from headgate.config import Config
from headgate.config.cost import BudgetConfig, PriceConfig
from headgate.core.prices import NANOS
from headgate.v1.cost_pb2 import Budget, Price, Share, Terms

SCHEMA_VERSION = 1

TERMS_KEY = "@terms"
BUDGET_PREFIX = "@budget/"

TICKS_MS = 2_000
"""How old the journal's newest record is at most while a job runs that has nothing to do: it ticks
once a second. Who is further ahead has another clock, and would have turns uncounted for as long.
"""


def nanos_of(amount: Decimal) -> int:
    """Return an amount of a currency's units in nanos; it has nine places at most."""
    return int(amount * NANOS)


def terms_of(config: Config) -> Terms:
    """Return the prices and shares of headgate.toml, without their time."""
    return Terms(
        currency=config.cost.currency,
        prices=[_price(price) for price in config.cost.prices],
        tenants={
            name: Share(weight=tenant.weight, rate=tenant.rate or 0)
            for name, tenant in config.tenants.items()
        },
        schema_version=SCHEMA_VERSION,
    )


def budget_of(given: BudgetConfig) -> Budget:
    """Return a budget as the protocol carries it, without its times."""
    return Budget(
        name=given.name,
        per=given.per.upper(),
        tenant=given.tenant or "",
        agent=given.agent or "",
        window=given.window.upper(),
        limit_nanos=nanos_of(given.limit),
        when_spent=given.when_spent.upper(),
        stand_in=given.stand_in or "",
        schema_version=SCHEMA_VERSION,
    )


def succeed(budget: Budget, known: Budget | None, newest_ms: int) -> Budget:
    """Return a budget with its times, as what comes after the one that is known, if one is.

    What was spent stays its own as long as the same turns count in the same windows.

    newest_ms: log-append time of the journal's newest record, 0 if there is none. By it turns
        count, and those that wait see that a budget is newer than their refusal: neither may hang
        on the clock of who sets a budget.
    """
    now_us = time.time_ns() // 1_000
    budget.updated_ms = max(now_us // 1_000, newest_ms)
    budget.since_us = since(now_us, newest_ms)
    if known is not None and _counting(known) == _counting(budget):
        budget.since_us = known.since_us
    return budget


def since(now_us: int, newest_ms: int) -> int:
    """Return from when on a new budget counts: now, but no later than the journal says it is.

    Where this clock is ahead of the journal's, or there is nothing to tell, that is within a second
    of the newest record; its microseconds tell budgets of one name from each other.

    >>> since(9_000_123, 8_500), since(3_600_000_123, 8_500)
    (9000123, 8500123)
    """
    if now_us <= (newest_ms + TICKS_MS) * 1_000:
        return now_us
    return newest_ms * 1_000 + now_us % 1_000_000


def changed_budgets(
    config: Config, known: Mapping[str, Budget], newest_ms: int
) -> dict[str, Budget | None]:
    """Return what a job that starts has to write, by name: None takes a budget away that
    headgate.toml had and has no more. newest_ms: as `succeed` takes it.
    """
    changed: dict[str, Budget | None] = {}
    for given in config.budgets:
        budget, before = budget_of(given), known.get(given.name)
        if before is not None and before.by_hand:
            continue
        if before is not None:
            budget.updated_ms, budget.since_us = before.updated_ms, before.since_us
        if budget != before:
            changed[given.name] = succeed(budget, before, newest_ms)
    named = {given.name for given in config.budgets}
    gone = [name for name, each in known.items() if name not in named and not each.by_hand]
    return changed | dict.fromkeys(gone)


def read_terms(value: bytes) -> Terms | str:
    """Return what a record of terms says, or why that cannot be read."""
    terms = Terms()
    return _fault_of(terms, value) or terms


def read_budget(name: str, value: bytes) -> Budget | str:
    """Return what the record of a budget of this name says, or why that cannot be used."""
    budget = Budget()
    wrong = _fault_of(budget, value)
    if wrong:
        return wrong
    if budget.name != name:
        # Two of one name would take turns at making the other's accounts anew.
        return f"it is the record of {name}, and says that it is {budget.name}"
    kinds = (
        (budget.per, Budget.Per),
        (budget.window, Budget.Window),
        (budget.when_spent, Budget.Spent),
    )
    if not all(number and number in kind.values() for number, kind in kinds):
        return "it does not say what it is per, for how long, or what happens when it is spent"
    return budget


def _fault_of(into: Terms | Budget, value: bytes) -> str:
    """Read a record; return why this version cannot, "" if it can."""
    try:
        into.MergeFromString(value)
    except DecodeError as error:
        return f"it cannot be parsed: {error}"
    if into.schema_version > SCHEMA_VERSION:
        return f"its schema version {into.schema_version} is newer than this Headgate"
    return ""


def _counting(budget: Budget) -> tuple[object, ...]:
    return budget.per, budget.tenant, budget.agent, budget.window


def _price(price: PriceConfig) -> Price:
    return Price(
        model=price.model or "",
        agent=price.agent or "",
        from_us=int(price.since.timestamp() * 1_000_000) if price.since else 0,
        input_nanos=nanos_of(price.input),
        output_nanos=nanos_of(price.output),
        call_nanos=nanos_of(price.call),
        second_nanos=nanos_of(price.second),
    )
