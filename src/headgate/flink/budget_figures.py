"""What is left of each budget: the lowest of its amounts, from what the spending topic is told.

A budget may have an amount for each of a million instances, and a series for each would be too
many. Within a window an amount only gets less, so the lowest of all is found as they change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.core.budgets import NO_BUDGETS, Budgets, is_refusing
from headgate.core.windows import end_of
from headgate.flink.figures import Figure
from headgate.v1.cost_pb2 import Account, Budget

BUDGETS_AT_MOST = 500
"""Budgets with a series of their own; those that were removed keep theirs."""


_NEVER_US = 1 << 63

_Lowest = tuple[int, int]
"""Begin of the window, and what is left in it."""


class BudgetFigures:
    """What one ledger knows of its budgets in this life."""

    def __init__(self) -> None:
        self._budgets = NO_BUDGETS
        self._rules: dict[str, Budget] = {}
        self._lowest: dict[str, _Lowest] = {}
        # When the first of their windows ends.
        self._next_us = _NEVER_US
        # Of every budget that there ever was, for a series cannot be taken away again.
        self._limits: dict[str, int] = {}

    def know(self, budgets: Budgets) -> None:
        """Take in which budgets there are."""
        if budgets is self._budgets:
            return
        self._budgets = budgets
        self._rules = {rule.name: rule for rule in budgets.rules}
        # A limit may have been raised: each amount is heard of again when it changes or refuses.
        self._lowest.clear()
        for name, rule in self._rules.items():
            if name in self._limits or len(self._limits) < BUDGETS_AT_MOST:
                self._limits[name] = rule.limit_nanos

    def take(self, accounts: Iterable[Account]) -> None:
        """Take in accounts that changed."""
        for account in accounts:
            rule = self._rules.get(account.budget)
            if rule is None:
                continue
            # What no call fits into any more is nothing, whatever the amount is.
            left = 0 if is_refusing(rule, account) else rule.limit_nanos - account.spent_nanos
            window_us = account.window_us
            known_us, lowest = self._lowest.get(account.budget, (-1, 0))
            if window_us > known_us or (window_us == known_us and left < lowest):
                self._lowest[account.budget] = window_us, left
                self._next_us = min(self._next_us, end_of(rule.window, window_us) or _NEVER_US)

    def see(self, at_us: int) -> bool:
        """Learn how late it is; tell whether a window has ended. No account is told of then, and
        what was spent in the one that is over counts no more.
        """
        if at_us < self._next_us:
            return False
        ends = {
            name: end_of(self._rules[name].window, begin_us) or _NEVER_US
            for name, (begin_us, _) in self._lowest.items()
        }
        over = [name for name, end_us in ends.items() if end_us <= at_us]
        for name in over:
            del self._lowest[name], ends[name]
        self._next_us = min(ends.values(), default=_NEVER_US)
        return bool(over)

    def __iter__(self) -> Iterator[Figure]:
        for name, limit in self._limits.items():
            # One that was removed keeps its series, and refuses nobody, whatever its limit was.
            _, left = self._lowest.get(name, (0, limit if name in self._rules else max(1, limit)))
            yield "headgate_budget_left_nanos", (("budget", name),), left
            yield "headgate_budget_limit_nanos", (("budget", name),), limit
