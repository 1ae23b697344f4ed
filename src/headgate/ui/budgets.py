"""Budgets: what is spent of each by the ledger's accounts, and who was refused lately. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from headgate.core.windows import window_of
from headgate.ui.facts import BudgetFact
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET
from headgate.v1.cost_pb2 import Account, Budget
from headgate.v1.turn_pb2 import HistoryRecord, Outcome

MOST = 2_000
"""Accounts that are kept, those that changed last: with a budget for each instance there are as
many as instances."""


class BudgetTable:
    """What the topic of spending and the history say of budgets."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._refused_ms: dict[tuple[str, str, str], int] = {}

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
            self._refused_ms.pop(key, None)
            self._refused_ms[key] = at_ms
            _bound(self._refused_ms)

    def facts(self, rules: Iterable[Budget], currency: str, now_ms: int) -> tuple[BudgetFact, ...]:
        """Return each account of the budgets there are, the one that is nearest to its end first.

        What was spent in a window that is over is not told of any more.
        """
        by_name = {rule.name: rule for rule in rules}
        found = []
        for account in list(self._accounts.values()):
            rule = by_name.get(account.budget)
            if rule is None:
                continue
            is_now = account.window_us == window_of(rule.window, now_ms * 1_000)
            found.append(_fact(account, rule, currency, self._refused(account), is_now=is_now))
        return tuple(sorted(found, key=_share, reverse=True))

    def _refused(self, account: Account) -> int:
        return self._refused_ms.get((account.tenant, account.agent, account.key), 0)


def _fact(
    account: Account, rule: Budget, currency: str, refused_ms: int, *, is_now: bool
) -> BudgetFact:
    window = Budget.Window.Name(rule.window).lower()
    parts = [part for part in (account.agent, account.key) if part]
    of = "/".join(parts) if parts else f"tenant {account.tenant}"
    if parts and account.tenant != "default":
        of += f" of tenant {account.tenant}"
    return BudgetFact(
        whose=f"{rule.name} ({of})",
        spent_nanos=account.spent_nanos + account.held_nanos if is_now else 0,
        limit_nanos=rule.limit_nanos,
        period=window,
        currency=currency,
        refused_ms=refused_ms if is_now else 0,
    )


def _refused_as(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Accounts that may have refused a turn: of its tenant, its agent, or its instance."""
    tenant = outcome.tenant or "default"
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
