"""What is left of a budget, of which there is an amount for every tenant or instance."""

from __future__ import annotations

import pytest

from headgate.core.budgets import Budgets
from headgate.flink import budget_figures as module
from headgate.flink.budget_figures import BudgetFigures
from headgate.v1.cost_pb2 import Account, Budget


def left(figures: BudgetFigures) -> dict[str, int]:
    return {
        labels[0][1]: value for name, labels, value in figures if name.endswith("budget_left_nanos")
    }


def account(
    *, tenant: str = "acme", budget: str = "day", spent: int = 0, window: int = 0, refused: int = 0
) -> Account:
    return Account(
        budget=budget, tenant=tenant, spent_nanos=spent, window_us=window, refused=refused
    )


@pytest.fixture
def figures() -> BudgetFigures:
    """Two budgets."""
    made = BudgetFigures()
    made.know(Budgets([Budget(name="day", limit_nanos=100), Budget(name="all", limit_nanos=900)]))
    return made


def test_it_is_the_limit_until_something_is_spent(figures: BudgetFigures) -> None:
    assert left(figures) == {"day": 100, "all": 900}


def test_it_is_the_amount_that_has_least(figures: BudgetFigures) -> None:
    figures.take([account(spent=10), account(tenant="other", spent=70), account(spent=20)])
    figures.take([account(budget="all", spent=100)])
    assert left(figures) == {"day": 30, "all": 800}


def test_a_new_window_begins_with_its_own(figures: BudgetFigures) -> None:
    figures.take([account(spent=100, window=1)])
    figures.take([account(spent=5, window=2), account(tenant="late", spent=99, window=1)])
    assert left(figures)["day"] == 95


def test_what_no_call_fits_into_is_nothing(figures: BudgetFigures) -> None:
    figures.take([account(spent=98, refused=1)])
    assert left(figures)["day"] == 0


def test_a_limit_that_is_raised_counts_at_once_and_a_budget_that_is_removed_is_no_alarm(
    figures: BudgetFigures,
) -> None:
    figures.take([account(spent=100), account(budget="all", spent=900)])
    figures.know(Budgets([Budget(name="day", limit_nanos=500)]))
    assert left(figures) == {"day": 500, "all": 900}
    figures.take([account(spent=120), account(budget="all", spent=900)])
    assert left(figures) == {"day": 380, "all": 900}


def test_a_budget_that_refused_and_was_raised_is_no_alarm(figures: BudgetFigures) -> None:
    figures.take([account(spent=98, refused=1)])
    figures.know(Budgets([Budget(name="day", limit_nanos=500, updated_ms=7)]))
    figures.take([account(spent=120, refused=1)])
    assert left(figures)["day"] == 380
    again = account(spent=490, refused=2)
    again.refused_as_ms = 7
    figures.take([again])
    assert left(figures)["day"] == 0


def test_budgets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGETS_AT_MOST", 2)
    figures = BudgetFigures()
    for number in range(5):
        figures.know(Budgets([Budget(name=f"b{number}", limit_nanos=1)]))
    assert set(left(figures)) == {"b0", "b1"}


def test_a_budget_of_nothing_is_no_alarm_once_it_is_removed() -> None:
    figures = BudgetFigures()
    figures.know(Budgets([Budget(name="day", limit_nanos=0)]))
    assert left(figures) == {"day": 0}
    figures.know(Budgets([]))
    assert left(figures)["day"] > 0


HOUR_US = 3_600_000_000


def test_a_window_that_is_over_leaves_the_whole_limit_though_nobody_tells_of_it() -> None:
    figures = BudgetFigures()
    rules = [
        Budget(name="hour", limit_nanos=10, window=Budget.HOUR),
        Budget(name="all", limit_nanos=10, window=Budget.TOTAL),
    ]
    figures.know(Budgets(rules))
    figures.take([account(budget="hour", spent=50, window=10 * HOUR_US)])
    figures.take([account(budget="all", spent=50)])
    assert not figures.see(11 * HOUR_US - 1)
    assert left(figures) == {"hour": -40, "all": -40}
    assert figures.see(11 * HOUR_US)
    assert left(figures) == {"hour": 10, "all": -40}
    assert not figures.see(12 * HOUR_US), "nothing is known of the window that is over now"
    # Told of late: over as well.
    figures.take([account(budget="hour", spent=50, window=10 * HOUR_US)])
    assert figures.see(12 * HOUR_US)
    assert left(figures)["hour"] == 10


def test_a_budget_that_was_removed_has_no_window_to_end() -> None:
    figures = BudgetFigures()
    figures.know(Budgets([Budget(name="hour", limit_nanos=10, window=Budget.HOUR)]))
    figures.take([account(budget="hour", spent=50, window=10 * HOUR_US)])
    figures.know(Budgets([]))
    assert not figures.see(11 * HOUR_US)
