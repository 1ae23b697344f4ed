"""Budgets: what is spent of each by the ledger's accounts, and who was refused lately. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from headgate.core.budgets import is_refusing
from headgate.kafka.spending import amounts
from headgate.ui.facts import BudgetFact
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET
from headgate.v1.cost_pb2 import Account, Budget
from headgate.v1.turn_pb2 import HistoryRecord, Outcome

DEFAULT_TENANT = "default"
MOST = 2_000
"""Accounts that are kept, those that changed last: with a budget for each instance there are as
many as instances."""


class BudgetTable:
    """What the topic of spending and the history say of budgets."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        # When a turn was refused: for the first time, and for the last.
        self._refused_ms: dict[tuple[str, str, str], tuple[int, int]] = {}

    def take_account(self, record: Any) -> None:
        """Take a record of the topic of spending; what is nobody's is passed over."""
        name = (record.key or b"").decode(errors="replace")
        self._accounts.pop(name, None)
        if record.value is None:
            return
        try:
            self._accounts[name] = Account.FromString(record.value)
        except DecodeError:
            return
        _bound(self._accounts)

    def take_turn(self, record: HistoryRecord) -> None:
        """Take a turn; only one that a budget refused counts."""
        outcome = record.outcome
        if outcome.failed.code != FAILURE_CODE_BUDGET:
            return
        at_ms = record.journal_ms or record.at_us // 1_000
        for key in _refused_as(outcome):
            first_ms, _ = self._refused_ms.pop(key, (at_ms, 0))
            self._refused_ms[key] = first_ms, at_ms
            _bound(self._refused_ms)

    def facts(self, rules: Iterable[Budget], currency: str, now_ms: int) -> tuple[BudgetFact, ...]:
        """Return each account of the budgets there are, the one that is nearest to its end first.

        What was spent in a window that is over is not told of any more.
        """
        now = list(amounts(rules, list(self._accounts.values()), now_ms * 1_000))
        found = [
            _fact(budget, account, currency, self._refused_since_ms(budget, account))
            for budget, account in now
        ]
        return tuple(sorted(found, key=_share, reverse=True))

    def _refused_since_ms(self, rule: Budget, account: Account) -> int:
        whose = account.tenant, account.agent, account.key
        first_ms, last_ms = self._refused_ms.get(whose, (0, 0))
        # Before the window began, or the budget was made or changed, it was refused by another one.
        begin_ms = max(account.window_us // 1_000, rule.updated_ms)
        return max(first_ms, begin_ms) if last_ms >= begin_ms else 0


def _fact(rule: Budget, account: Account, currency: str, refused_ms: int) -> BudgetFact:
    parts = [part for part in (account.agent, account.key) if part]
    of = "/".join(parts) or f"tenant {account.tenant}"
    if parts and account.tenant != DEFAULT_TENANT:
        of += f" of tenant {account.tenant}"
    return BudgetFact(
        # Nobody's turn has counted in one without a tenant yet.
        whose=f"{rule.name} ({of})" if account.tenant else rule.name,
        spent_nanos=account.spent_nanos + account.held_nanos,
        limit_nanos=rule.limit_nanos,
        period=Budget.Window.Name(rule.window).lower(),
        currency=currency,
        # A refusal of the window before is over.
        refused_ms=refused_ms if account.refused else 0,
        is_refusing=is_refusing(rule, account),
    )


def _refused_as(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Accounts that may have refused a turn: of its tenant, its agent, or its instance."""
    tenant = outcome.tenant or DEFAULT_TENANT
    return [
        (tenant, "", ""),
        (tenant, outcome.agent_type, ""),
        (tenant, outcome.agent_type, outcome.key),
    ]


def _share(fact: BudgetFact) -> tuple[float, str]:
    return fact.spent_nanos / max(1, fact.limit_nanos), fact.whose


def _bound(kept: dict[Any, Any]) -> None:
    while len(kept) > MOST:
        del kept[next(iter(kept))]
