"""What the ledger has told of budgets: definitions beside what was spent, for commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.core.budgets import Budgets, account_of, is_refusing, name_of
from headgate.core.identity import split_address
from headgate.core.prices import units
from headgate.core.windows import end_of, window_of
from headgate.kafka.compacted import newest
from headgate.kafka.errors import UnknownTopicError
from headgate.v1.cost_pb2 import Account, Budget


class Amount(NamedTuple):
    """An amount of a budget as it stands now."""

    budget: Budget
    account: Account


def read_accounts(bootstrap: Bootstrap, topic: str) -> dict[str, Account]:
    """Return the accounts that were told, by name; none where no job with a ledger ever ran."""
    found: dict[str, Account] = {}
    try:
        told = newest(bootstrap, topic)
    except UnknownTopicError:
        return found
    for value in told.values():
        try:
            account = Account.FromString(value)
        except DecodeError:
            continue
        found[name_of(account)] = account
    return found


def amounts(
    budgets: Iterable[Budget], accounts: Iterable[Account], now_us: int
) -> Iterator[Amount]:
    """Yield what was told of budgets that there are, as of now; a budget that nobody's turn has
    counted in yet has one with nothing spent.
    """
    by_name = {budget.name: budget for budget in budgets}
    unused = dict(by_name)
    for account in accounts:
        budget = by_name.get(account.budget)
        if budget is not None and account.since_us == budget.since_us:
            unused.pop(budget.name, None)
            yield Amount(budget, as_of(budget, account, now_us))
    for budget in unused.values():
        yield Amount(budget, as_of(budget, Account(budget=budget.name), now_us))


def amounts_of(
    budgets: Budgets, accounts: Mapping[str, Account], address: str, *, tenant: str, now_us: int
) -> list[Amount]:
    """Return the amounts that an instance's turns count in, the widest first."""
    agent_type, key = split_address(address)
    found: list[Amount] = []
    for budget in budgets.counting(tenant, agent_type):
        account = account_of(budget, tenant, agent_type, key)
        told = accounts.get(name_of(account))
        if told is not None and told.since_us == budget.since_us:
            account = told
        found.append(Amount(budget, as_of(budget, account, now_us)))
    return found


def as_of(budget: Budget, account: Account, now_us: int) -> Account:
    """Return an account in the window of now: nothing is spent in one that nobody told of."""
    begin = window_of(budget.window, now_us)
    if begin == account.window_us:
        return account
    made = Account()
    made.CopyFrom(account)
    made.window_us, made.spent_nanos, made.calls, made.refused = begin, 0, 0, 0
    return made


def budget_view(budget: Budget, currency: str) -> dict[str, Any]:
    """Return a budget's definition."""
    return {
        "name": budget.name,
        "per": Budget.Per.Name(budget.per).lower(),
        "tenant": budget.tenant or None,
        "agent": budget.agent or None,
        "window": Budget.Window.Name(budget.window).lower(),
        "limit": units(budget.limit_nanos),
        "currency": currency,
        "when_spent": Budget.Spent.Name(budget.when_spent).lower(),
        "stand_in": budget.stand_in or None,
        "set_by_hand": budget.by_hand,
    }


def amount_view(amount: Amount) -> dict[str, Any]:
    """Return an amount: whose it is, what is spent, held and left, and when the window ends.

    has_room: false once nothing is left, or less than a call was taken to cost.
    """
    budget, account = amount
    left = budget.limit_nanos - account.spent_nanos - account.held_nanos
    end_us = end_of(budget.window, account.window_us)
    return {
        "budget": budget.name,
        "tenant": account.tenant or None,
        "agent": account.agent or None,
        "key": account.key or None,
        "limit": units(budget.limit_nanos),
        "spent": units(account.spent_nanos),
        "held": units(account.held_nanos),
        "left": units(max(0, left)),
        "calls": account.calls,
        "refused": account.refused,
        "has_room": account.spent_nanos < budget.limit_nanos and not is_refusing(budget, account),
        "window": Budget.Window.Name(budget.window).lower(),
        "window_ends": _moment(end_us) if end_us else None,
        "spent_before": units(account.previous_nanos) if account.previous_us else None,
    }


def _moment(us: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us):%Y-%m-%dT%H:%M:%SZ}"
