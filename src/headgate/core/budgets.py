"""Which budgets a turn counts in, and the amount of each that is its own.

A budget says what has an amount (each tenant, each agent type of a tenant, each instance) and whose
turns count. All amounts of a turn are of its tenant, the root: so the ledger keeps a tenant's
together, and a call is let go by all of them or by none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from headgate.v1.cost_pb2 import Account, Budget

REMEMBERED = 10_000
"""Pairs of tenant and agent type whose budgets are remembered."""


class Budgets:
    """All budgets there are, never changed. Compares by what they say."""

    def __init__(self, rules: Iterable[Budget] = ()) -> None:
        """``rules`` have names of their own."""
        self.rules: Sequence[Budget] = sorted(rules, key=_widest_first)
        self.changed_us = max((rule.updated_ms for rule in self.rules), default=0) * 1_000
        """When the newest of them was written, microseconds since the epoch."""
        self._counted: dict[tuple[str, str], tuple[Budget, ...]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Budgets) and self.rules == other.rules

    def __hash__(self) -> int:
        return len(self.rules)

    def counting(self, tenant: str, agent_type: str) -> tuple[Budget, ...]:
        """Return the budgets that turns of this tenant and agent type count in."""
        if not self.rules:
            return ()
        found = self._counted.get((tenant, agent_type))
        if found is None:
            if len(self._counted) >= REMEMBERED:
                self._counted.clear()
            found = self._counted[tenant, agent_type] = tuple(
                rule
                for rule in self.rules
                if rule.tenant in {"", tenant} and rule.agent in {"", agent_type}
            )
        return found


def _widest_first(rule: Budget) -> tuple[int, str]:
    # What is refused for several reasons names the one that holds for most.
    return rule.per, rule.name


def account_of(budget: Budget, tenant: str, agent_type: str, key: str) -> Account:
    """Return the amount of a budget that an instance's turns count in, with nothing spent."""
    account = Account(budget=budget.name, tenant=tenant, schema_version=1)
    if budget.per in {Budget.AGENT, Budget.INSTANCE}:
        account.agent = agent_type
    if budget.per == Budget.INSTANCE:
        account.key = key
    return account


def is_refusing(budget: Budget, account: Account) -> bool:
    """Tell whether an amount had no room for a call in its window, with the budget as it is now.

    Amounts seldom come out even: where a call costs 0.12, one that has 0.05 left is spent. A limit
    that was raised since has room, however often it refused before.
    """
    return account.refused > 0 and account.refused_as_ms == budget.updated_ms


def name_of(account: Account) -> str:
    """Return what names an amount among all: no two read alike, whatever keys contain.

    >>> name_of(Account(budget="day", tenant="acme"))
    '["day","acme"]'
    """
    parts = [account.budget, account.tenant]
    if account.agent:
        parts.append(account.agent)
    if account.key:
        parts.append(account.key)
    return json.dumps(parts, separators=(",", ":"))


NO_BUDGETS = Budgets()
