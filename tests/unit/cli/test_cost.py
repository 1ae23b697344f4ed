"""`headgate cost report` and `headgate budgets`: what people are told beside the numbers."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner, Result

from headgate.cli.app import app
from headgate.core.budgets import name_of
from headgate.kafka import costs, journal_clock, registry, spending
from headgate.kafka.registry import Contents, Costs
from headgate.v1.cost_pb2 import Account, Budget, Price, Terms
from headgate.v1.turn_pb2 import AgentSpec

AT = ["--bootstrap", "127.0.0.1:1"]


class Sums:
    """What two calls used, and what they cost."""

    def __init__(self, cost: str) -> None:
        self.row = {"tenant": "acme", "agent": "desk", "calls": 2, "cost": cost}
        self.row |= {"failed_cost": "0", "input_tokens": 420_000, "output_tokens": 70_000}

    def views(self) -> list[dict[str, Any]]:
        return [self.row]


def report(monkeypatch: pytest.MonkeyPatch, terms: Terms, cost: str, *options: str) -> Result:
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(terms, {}))
    monkeypatch.setattr(costs, "report", lambda *_, **__: Sums(cost))
    return CliRunner().invoke(app, ["cost", "report", *AT, *options])


def test_a_report_without_prices_says_why_nothing_costs_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = report(monkeypatch, Terms(currency="USD"), "0", "-o", "json")
    assert told.exit_code == 0
    assert "[[cost.prices]]" in told.stderr
    assert "prices" not in told.stdout, "a program reads that"


@pytest.mark.parametrize(("prices", "cost"), [(1, "0"), (0, "0.25")])
def test_a_report_says_nothing_of_prices_where_there_are_some_or_providers_told_theirs(
    monkeypatch: pytest.MonkeyPatch, prices: int, cost: str
) -> None:
    terms = Terms(currency="USD", prices=[Price(model="big-*")] * prices)
    assert "[[cost.prices]]" not in report(monkeypatch, terms, cost).stderr


def test_a_budget_for_an_agent_that_is_not_attached_is_made_and_doubted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    monkeypatch.setattr(registry, "read_contents", lambda *_: Contents({"desk": AgentSpec()}))
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(Terms(currency="USD"), {}))
    monkeypatch.setattr(registry, "write_own", lambda *args: written.append(args[2]))
    monkeypatch.setattr(journal_clock, "newest_ms", lambda *_: 0)
    made = ["budgets", "set", "pot", "--window", "day", "--limit", "1", *AT, "--agent"]
    result = CliRunner().invoke(app, [*made, "dsk"])
    assert (result.exit_code, written) == (0, ["@budget/pot"])
    assert "no agent 'dsk' is attached, did you mean 'desk'?" in " ".join(result.stderr.split())
    assert CliRunner().invoke(app, [*made, "desk"]).stderr == ""


def test_a_budget_that_counts_other_turns_says_that_it_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Budget(name="pot", per=Budget.TENANT, window=Budget.DAY, limit_nanos=10**9)
    known.when_spent, known.since_us = Budget.DEFER, 5
    monkeypatch.setattr(registry, "read_contents", lambda *_: Contents({}))
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(Terms(), {"pot": known}))
    monkeypatch.setattr(registry, "write_own", lambda *_: None)
    monkeypatch.setattr(journal_clock, "newest_ms", lambda *_: 0)
    raised = CliRunner().invoke(app, ["budgets", "set", "pot", "--limit", "2", *AT])
    assert (raised.exit_code, raised.stderr) == (0, "")
    other = CliRunner().invoke(app, ["budgets", "set", "pot", "--tenant", "acme", *AT])
    assert other.exit_code == 0
    assert "pot counts other turns than before, so it begins anew" in other.stderr


def explained(monkeypatch: pytest.MonkeyPatch, budget: Budget, account: Account) -> str:
    specs = {"desk": AgentSpec(type="desk")}
    monkeypatch.setattr(registry, "read_contents", lambda *_: Contents(specs))
    monkeypatch.setattr(
        registry, "read_costs", lambda *_: Costs(Terms(currency="USD"), {budget.name: budget})
    )
    monkeypatch.setattr(spending, "read_accounts", lambda *_: {name_of(account): account})
    result = CliRunner().invoke(app, ["budgets", "explain", "desk/17", *AT])
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_explain_names_the_budget_that_has_less_left_than_a_call_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = Budget(name="pot", per=Budget.TENANT, window=Budget.TOTAL, limit_nanos=300_000_000)
    budget.updated_ms = 7
    account = Account(budget="pot", tenant="default", spent_nanos=245_000_000, refused=1)
    account.refused_as_ms = 7
    told = explained(monkeypatch, budget, account)
    assert "pot has no room until it is raised" in told
    assert "headgate budgets set pot --limit" in told
    # As it is raised, the account still has the refusals of before.
    budget.updated_ms, budget.limit_nanos = 8, 600_000_000
    assert "has no room" not in explained(monkeypatch, budget, account)


def test_a_window_that_is_none_and_a_missing_limit_are_named_with_their_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(Terms(), {}))
    told = CliRunner().invoke(app, ["budgets", "set", "pot", "--window", "fortnight", *AT])
    text = str(told.exception)
    assert "--window: must be 'hour', 'day', 'month' or 'total', not 'fortnight'" in text
    assert "--limit: is required and missing" in text


def test_an_empty_tenant_lets_everybodys_turns_count_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Budget(name="pot", tenant="acme", window=Budget.DAY, limit_nanos=10**9)
    known.per, known.when_spent = Budget.TENANT, Budget.DEFER
    written: list[Budget] = []
    monkeypatch.setattr(registry, "read_contents", lambda *_: Contents({}))
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(Terms(), {"pot": known}))
    monkeypatch.setattr(
        registry, "write_own", lambda *args: written.append(Budget.FromString(args[3]))
    )
    monkeypatch.setattr(journal_clock, "newest_ms", lambda *_: 0)
    told = CliRunner().invoke(app, ["budgets", "set", "pot", "--tenant", "", *AT])
    assert (told.exit_code, [each.tenant for each in written]) == (0, [""])
    assert "of turns of everybody" in told.stdout


def test_the_table_of_budgets_says_their_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = {
        name: Budget(name=name, per=Budget.TENANT, window=window, limit_nanos=10**9)
        for name, window in (("daily", Budget.DAY), ("ever", Budget.TOTAL))
    }
    for each in budgets.values():
        each.when_spent = Budget.DEFER
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(Terms(currency="USD"), budgets))
    told = [Account(budget=name, tenant="acme", spent_nanos=1) for name in budgets]
    monkeypatch.setattr(spending, "read_accounts", lambda *_: {name_of(a): a for a in told})
    listed = CliRunner().invoke(app, ["budgets", "list", *AT], env={"COLUMNS": "200"})
    assert listed.exit_code == 0, listed.output
    daily, ever = (
        next(line for line in listed.stdout.splitlines() if name in line) for name in budgets
    )
    assert "day, to 2" in daily
    assert ever.rstrip(" │|").endswith("total")


def test_a_mistyped_budget_is_named_instead_of_what_a_new_one_would_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(Terms(), {"basket-day": Budget()}))
    told = CliRunner().invoke(app, ["budgets", "set", "basket-dya", "--limit", "1", *AT])
    assert "no budget 'basket-dya', did you mean 'basket-day'?" in str(told.exception)


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_budget_is_not_moved_to_an_agent_that_nobody_attached_by_a_typo(
    monkeypatch: pytest.MonkeyPatch, force: tuple[str, ...]
) -> None:
    known = Budget(name="pot", agent="desk", window=Budget.DAY, limit_nanos=10**9)
    known.per, known.when_spent = Budget.TENANT, Budget.DEFER
    written: list[str] = []
    monkeypatch.setattr(
        registry, "read_contents", lambda *_: Contents({"desk": AgentSpec(type="desk")})
    )
    monkeypatch.setattr(registry, "read_costs", lambda *_: Costs(Terms(), {"pot": known}))
    monkeypatch.setattr(
        registry, "write_own", lambda *args: written.append(Budget.FromString(args[3]).agent)
    )
    monkeypatch.setattr(journal_clock, "newest_ms", lambda *_: 0)
    told = CliRunner().invoke(app, ["budgets", "set", "pot", "--agent", "dsk", *force, *AT])
    if force:
        assert (told.exit_code, written) == (0, ["dsk"])
    else:
        assert "did you mean 'desk'?; pot stays as it is" in str(told.exception)
        assert not written
