"""Budgets that turns were refused for, as the history tells of them. Pure."""

from __future__ import annotations

from headgate.kafka.outcomes import code_name
from headgate.ui.counts import tenant_of
from headgate.ui.facts import BudgetFact
from headgate.v1.turn_pb2 import HistoryRecord

MOST = 200
"""Agents and tenants that are remembered."""


class Refusals:
    """Who was refused last for a spent budget, and when."""

    def __init__(self) -> None:
        self._last_ms: dict[str, int] = {}

    def take(self, record: HistoryRecord) -> None:
        """Take a turn; only one that a budget refused counts."""
        outcome = record.outcome
        if not outcome.HasField("failed") or "budget" not in code_name(outcome.failed.code):
            return
        tenant = tenant_of(outcome)
        whose = f"{outcome.agent_type}, tenant {tenant}" if tenant else f"{outcome.agent_type}"
        self._last_ms.pop(whose, None)
        self._last_ms[whose] = record.journal_ms or record.at_us // 1_000
        while len(self._last_ms) > MOST:
            del self._last_ms[next(iter(self._last_ms))]

    def facts(self) -> tuple[BudgetFact, ...]:
        """Return the budgets that refused."""
        return tuple(
            BudgetFact(whose, 0, 0, refused_ms=at) for whose, at in list(self._last_ms.items())
        )
