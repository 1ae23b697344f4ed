"""What is wrong now: each rule, when it speaks, when it is silent, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate.ui.facts import AgentFact, BudgetFact, Facts, FlinkFact, LetterFact, ParkedFact
from headgate.ui.wrong import find_problems

NOW = 1_700_000_000_000
WELL = AgentFact("order", health="serving", endpoints=("h:7070",), deadline_ms=30_000, p99_ms=50.0)
RUNS = FlinkFact(
    job="j",
    state="RUNNING",
    since_ms=NOW - 3_600_000,
    task_managers=2,
    expected_task_managers=2,
    checkpoint_ms=NOW - 900,
)


def said(**given: Any) -> list[tuple[str, str]]:
    """Severity and sentence of each problem, on a cluster that is well."""
    facts = Facts(NOW, **{"agents": (WELL,), "flink": RUNS, **given})
    return [(each.severity, each.what) for each in find_problems(facts)]


def agent(**given: Any) -> dict[str, Any]:
    return {"agents": (replace(WELL, **given),)}


def flink(**given: Any) -> dict[str, Any]:
    return {"flink": replace(RUNS, **given)}


def test_nothing_is_wrong_with_what_is_well() -> None:
    assert said() == []
    assert said(flink=None) == []


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (
        agent(health="unreachable", problem="refused", unhealthy_since_ms=NOW - 3_000, busy=2),
        "bad",
        "Agent order is unreachable at h:7070 (refused); 2 instances are with work",
    ),
    (
        agent(busy=1, busy_since_ms=NOW - 9_000),
        "bad",
        "Agent order hangs: 1 instance is with work, and it has answered nothing for 8 s. "
        "Its deadline is 30 s.",
    ),
    (
        agent(late_address="order/7", late_ms=NOW - 5_000),
        "bad",
        "Agent order hangs at order/7: the deadline of 30 s passed",
    ),
    (
        agent(late_address="order/7", late_ms=NOW - 5_000, completed=1),
        "warn",
        "Agent order did not answer order/7: the deadline of 30 s passed",
    ),
    (
        agent(completed=4, failed=6, codes=(("agent_error", 6),)),
        "bad",
        "Agent order fails: 6 of 10 turns in half a minute (agent_error 6x)",
    ),
    (
        {"parked": (ParkedFact("order/7", NOW - 60_000, "agent_error", "no\nmemory", "e1"),)},
        "bad",
        "order/7 is parked (agent_error, event e1): no memory",
    ),
    (
        {"parked": tuple(ParkedFact(f"order/{n}", NOW - n, "", "") for n in range(3))},
        "bad",
        "3 instances of order are parked, order/0 last (by hand)",
    ),
    (
        {"letters": (LetterFact("x", NOW - 1, "not_json", "order/7", "it is <b>"),)},
        "warn",
        "An event was given up (not_json) of order/7: it is <b>",
    ),
    (flink(state="RESTARTING"), "bad", "The Flink job is RESTARTING: no turn is taken"),
    (flink(state=""), "bad", "The Flink job is not there: no turn is taken"),
    (
        flink(task_managers=1),
        "bad",
        "1 of 2 TaskManagers are there: one has stopped or cannot be reached",
    ),
    (
        flink(silent_since_ms=NOW - 6_000),
        "bad",
        "A TaskManager has stopped: no heartbeat for 6 s",
    ),
    (
        flink(restarts=1, restarted_ms=NOW - 20_000, restart_cause="X: boom"),
        "warn",
        "The job restarted (1 times in its life): X: boom",
    ),
    (
        flink(failed_checkpoint_ms=NOW, failed_checkpoint_why="disk full"),
        "bad",
        "The last checkpoint failed: disk full",
    ),
    (flink(checkpoint_ms=NOW - 11_000), "warn", "No checkpoint for 11 s"),
    (
        flink(lag=5_000, lag_before=4_000),
        "warn",
        "5,000 records wait in the topics, and they become more",
    ),
    (
        {"budgets": (BudgetFact("day (tenant acme)", 10, 10, "day", "EUR", NOW - 1, True),)},
        "bad",
        "The budget day (tenant acme) is spent (day): turns are refused",
    ),
    (
        # What is left is less than a call costs.
        {
            "budgets": (
                BudgetFact("day (tenant acme)", 82, 100, "day", "EUR", NOW - 3_600_000, True),
            )
        },
        "bad",
        "The budget day (tenant acme) is spent (day): turns are refused",
    ),
    (
        {"budgets": (BudgetFact("day (tenant acme)", 95, 100, "day"),)},
        "warn",
        "The budget day (tenant acme) is spent to 95 % (day)",
    ),
    (
        {"unreadable": {"Kafka": "nobody answers"}},
        "bad",
        "Kafka cannot be read: nobody answers",
    ),
    ({"history_problem": "disk full"}, "bad", "The history does not go on: disk full"),
    ({"history_behind": 9_000}, "warn", "The history is 9,000 records behind"),
]


@pytest.mark.parametrize(("given", "severity", "sentence"), WRONG)
def test_what_is_wrong_is_said(given: dict[str, Any], severity: str, sentence: str) -> None:
    assert said(**given) == [(severity, sentence)]


HARMLESS: list[dict[str, Any]] = [
    # A check was missed; somebody has paused it; calls are slow by nature, or failed by chance.
    agent(health="unreachable", unhealthy_since_ms=NOW - 1_000),
    agent(health="unreachable", unhealthy_since_ms=NOW - 9_000, state="paused"),
    agent(busy=4, busy_since_ms=NOW - 60_000, state="paused"),
    agent(busy=1, busy_since_ms=NOW - 60_000, p99_ms=30_000.0),
    agent(busy=0, busy_since_ms=0),
    agent(late_address="order/7", late_ms=NOW - 70_000),
    agent(completed=100, failed=2),
    {"letters": (LetterFact("x", NOW - 3_600_000, "not_json", "order/7"),)},
    flink(restarts=3, restarted_ms=NOW - 3_600_000),
    flink(failed_checkpoint_ms=NOW - 5_000),
    flink(checkpoint_ms=NOW - 30_000, checkpoint_interval_ms=60_000),
    flink(lag=5_000, lag_before=6_000),
    # It refused, and was raised since.
    {"budgets": (BudgetFact("day (tenant acme)", 5, 10, "day", refused_ms=NOW - 1),)},
]


@pytest.mark.parametrize("given", HARMLESS)
def test_what_passes_by_itself_is_not_said(given: dict[str, Any]) -> None:
    assert said(**given) == []


def test_an_agent_is_not_said_to_hang_while_nobody_sees_its_turns() -> None:
    hanging = agent(busy=1, busy_since_ms=NOW - 20_000)
    assert "hangs" in said(**hanging)[0][1]
    # Turns are seen with their checkpoint: none came since, or the job restarts.
    late = said(**hanging, **flink(checkpoint_ms=NOW - 14_000))
    assert [what for _, what in late] == ["No checkpoint for 14 s"]
    restarting = said(**hanging, **flink(state="RESTARTING"))
    assert [what for _, what in restarting] == ["The Flink job is RESTARTING: no turn is taken"]


def test_the_worst_come_first_and_each_has_a_remedy_and_a_page() -> None:
    given = {
        **agent(completed=9, failed=3, codes=(("terminal", 3),)),
        **flink(state="FAILED"),
        "letters": (LetterFact("x", NOW - 1, "not_json", ""),),
    }
    problems = find_problems(Facts(NOW, **given))
    assert [each.severity for each in problems] == ["bad", "warn", "warn"]
    assert all(each.do and each.link.startswith("/") for each in problems)
    assert len({each.key for each in problems}) == 3
