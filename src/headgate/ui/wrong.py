"""What is wrong now, in sentences: who, since when, what to do. Pure: facts in, problems out.

A rule says what a person would be woken for, and what can be done. What heals by itself within
seconds (one failed call, one missed health check) is none. The worst come first, then the newest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

from headgate.ui.facts import Facts
from headgate.ui.problem import Problem, short
from headgate.ui.wrong_agents import agent_problems
from headgate.ui.wrong_cluster import cluster_problems

LETTERS_MS = 15 * 60_000
BUDGET_NEAR = 0.9


def find_problems(facts: Facts) -> list[Problem]:
    """Return what is wrong, the worst first."""
    found = [
        *cluster_problems(facts),
        *(problem for agent in facts.agents for problem in agent_problems(agent, facts)),
        *_budgets(facts),
        *_parked(facts),
        *_letters(facts),
    ]
    return sorted(found, key=lambda each: (each.severity != "bad", -each.since_ms))


def _parked(facts: Facts) -> Iterator[Problem]:
    by_agent = Counter(each.address.partition("/")[0] for each in facts.parked)
    for agent, count in sorted(by_agent.items()):
        own = [each for each in facts.parked if each.address.startswith(f"{agent}/")]
        newest = max(own, key=lambda each: each.since_ms)
        event = f", event {newest.event_id}" if newest.event_id else ""
        code = newest.code or "by hand"
        said = f": {newest.message}" if newest.message else ""
        one = (
            f"{newest.address} is parked"
            if count == 1
            else f"{count} instances of {agent} are parked, {newest.address} last"
        )
        yield Problem(
            f"parked:{agent}",
            "bad",
            f"{one} ({code}{event}){short(said)}",
            newest.since_ms,
            "Mend the cause, then resume it; or skip the event. Until then it takes no turn.",
            f"/letters?agent={quote(agent)}",
        )


def _letters(facts: Facts) -> Iterator[Problem]:
    fresh = [each for each in facts.letters if facts.now_ms - each.at_ms <= LETTERS_MS]
    groups = Counter((each.reason, each.address.partition("/")[0]) for each in fresh)
    for (reason, agent), count in sorted(groups.items()):
        own = [
            each
            for each in fresh
            if (each.reason, each.address.partition("/")[0]) == (reason, agent)
        ]
        newest = max(own, key=lambda each: each.at_ms)
        letters = "An event was" if count == 1 else f"{count} events were"
        of = f" of {newest.address}" if newest.address else ""
        said = f": {newest.message}" if newest.message else ""
        yield Problem(
            f"letters:{reason}:{agent}",
            "warn",
            f"{letters} given up ({reason}){of}{short(said)}",
            newest.at_ms,
            "Read the dead letter, mend the cause, replay it.",
            f"/letters?reason={quote(reason)}",
        )


def _budgets(facts: Facts) -> Iterator[Problem]:
    for budget in facts.budgets:
        is_near = budget.spent_nanos >= BUDGET_NEAR * budget.limit_nanos
        # However much is left: what no call fits into is spent.
        if budget.spent_nanos >= budget.limit_nanos or budget.is_refusing:
            refused = ": turns are refused" if budget.is_refusing else ""
            yield Problem(
                f"budget:{budget.whose}",
                "bad",
                f"The budget {budget.whose} is spent ({budget.period}){refused}",
                budget.refused_ms,
                "Raise its limit."
                if budget.period == "total"
                else "Raise its limit, or wait for its next window.",
                "/cost",
            )
        elif is_near:
            yield Problem(
                f"budget:{budget.whose}",
                "warn",
                f"The budget {budget.whose} is spent to "
                f"{100 * budget.spent_nanos // budget.limit_nanos} % ({budget.period})",
                0,
                "Once it is spent, turns are refused: raise its limit if they should not be.",
                "/cost",
            )
