"""What is wrong now, in sentences: who, since when, what to do. Pure: facts in, problems out.

A rule says what a person would be woken for, and what can be done. What heals by itself within seconds
(one failed call, one missed health check) is none. The worst come first, then the newest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from headgate.ui.facts import AgentFact, Facts, FlinkFact

Severity = Literal["bad", "warn"]

SILENT_MS = 8_000
"""An agent whose instances have work and that ends no turn for so long hangs, unless its turns are known
to take longer."""
SLOW_TIMES = 3
"""... than a third of its silence."""
LATE_MS = 60_000
"""A deadline that passed is told for so long."""
UNHEALTHY_MS = 2_500
"""A service that restarts misses a health check or two."""
LETTERS_MS = 15 * 60_000
RESTARTED_MS = 5 * 60_000
"""A restart is told for so long: it is over, and its cause is worth a look."""
FAILING_SHARE, FAILING_LEAST = 0.2, 3
"""Of the calls of half a minute: fewer failures than three are chance."""
CHECKPOINT_LATE_TIMES, CHECKPOINT_LATE_MS = 5, 10_000
"""A checkpoint every second is late after five of them, but nobody minds within ten seconds."""
LAG_LEAST = 500
HISTORY_BEHIND = 5_000
BUDGET_NEAR = 0.9
REFUSED_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong. what: a sentence. since_ms: 0 where nobody knows. do: what helps.

    link: the page that shows it. key: the same from one look to the next.
    """

    key: str
    severity: Severity
    what: str
    since_ms: int
    do: str
    link: str


def find_problems(facts: Facts) -> list[Problem]:
    """Return what is wrong, the worst first."""
    found = [
        *_unreadable(facts),
        *_flink(facts),
        *(problem for agent in facts.agents for problem in _agent(agent, facts)),
        *_budgets(facts),
        *_parked(facts),
        *_letters(facts),
        *_history(facts),
    ]
    return sorted(found, key=lambda each: (each.severity != "bad", -each.since_ms))


def _unreadable(facts: Facts) -> Iterator[Problem]:
    for source, why in sorted(facts.unreadable.items()):
        yield Problem(
            f"unreadable:{source}",
            "bad",
            f"{source} cannot be read: {why}",
            0,
            "What is shown of it is as it was. See that it runs: `headgate status`.",
            "/cluster",
        )


def _agent(agent: AgentFact, facts: Facts) -> Iterator[Problem]:
    name, link = agent.name, f"/agents/{quote(agent.name)}"
    if agent.state == "attached" and agent.health in {"unreachable", "not_serving", "not_hosted", "no_endpoint"}:
        if facts.now_ms - agent.unhealthy_since_ms >= UNHEALTHY_MS:
            where = ", ".join(agent.endpoints) or "no endpoint"
            said = agent.health.replace("_", " ")
            problem = f" ({agent.problem})" if agent.problem else ""
            yield Problem(
                f"health:{name}",
                "bad",
                f"Agent {name} is {said} at {where}{problem}{_waiting(agent)}",
                agent.unhealthy_since_ms,
                "Start its service, or attach the agent where it is. Its events wait; none is lost.",
                link,
            )
            return
    silent_ms = max(0, _seen_until(facts) - agent.busy_since_ms) if agent.busy_since_ms else 0
    patience = max(SILENT_MS, SLOW_TIMES * (agent.p99_ms or 0.0))
    if agent.busy and agent.state != "paused" and silent_ms >= patience:
        deadline = f" Its deadline is {agent.deadline_ms / 1_000:g} s." if agent.deadline_ms else ""
        yield Problem(
            f"hangs:{name}",
            "bad",
            f"Agent {name} hangs: {_instances(agent.busy)} with work, and it has answered nothing "
            f"for {silent_ms // 1_000} s.{deadline}",
            agent.busy_since_ms,
            "Look at the service's log, restart it, or pause the agent. Events wait; none is lost.",
            link,
        )
    elif agent.late_ms and facts.now_ms - agent.late_ms <= LATE_MS:
        yield Problem(
            f"late:{name}",
            "warn",
            f"Agent {name} hangs at {agent.late_address}: the deadline of {agent.deadline_ms / 1_000:g} s passed",
            agent.late_ms,
            "Its event is tried again. If calls may take that long, give the agent a longer deadline.",
            f"/instances/{quote(agent.late_address)}",
        )
    calls = agent.completed + agent.failed
    if agent.failed >= FAILING_LEAST and agent.failed >= FAILING_SHARE * calls:
        codes = ", ".join(f"{code} {count}x" for code, count in agent.codes)
        yield Problem(
            f"fails:{name}",
            "bad" if agent.failed > calls / 2 else "warn",
            f"Agent {name} fails: {agent.failed} of {calls} turns in half a minute ({codes})",
            0,
            "Read the failures on its page; what is given up becomes a dead letter.",
            link,
        )


def _seen_until(facts: Facts) -> int:
    """Turns are seen with the checkpoint that they are in: what ended since is not known."""
    flink = facts.flink
    if flink is None:
        return facts.now_ms
    return min(facts.now_ms, flink.checkpoint_ms) if flink.state == "RUNNING" else 0


def _waiting(agent: AgentFact) -> str:
    return f"; {_instances(agent.busy)} with work" if agent.busy else ""


def _instances(count: int) -> str:
    return "1 instance is" if count == 1 else f"{count} instances are"


def _parked(facts: Facts) -> Iterator[Problem]:
    by_agent = Counter(each.address.partition("/")[0] for each in facts.parked)
    for agent, count in sorted(by_agent.items()):
        own = [each for each in facts.parked if each.address.startswith(f"{agent}/")]
        newest = max(own, key=lambda each: each.since_ms)
        event = f", event {newest.event_id}" if newest.event_id else ""
        code = newest.code or "by hand"
        said = f": {newest.message}" if newest.message else ""
        one = f"{newest.address} is parked" if count == 1 else f"{count} instances of {agent} are parked, {newest.address} last"
        yield Problem(
            f"parked:{agent}",
            "bad",
            f"{one} ({code}{event}){_short(said)}",
            newest.since_ms,
            "Mend the cause, then resume it; or skip the event. Until then it takes no turn.",
            f"/letters?agent={quote(agent)}",
        )


def _letters(facts: Facts) -> Iterator[Problem]:
    fresh = [each for each in facts.letters if facts.now_ms - each.at_ms <= LETTERS_MS]
    groups = Counter((each.reason, each.address.partition("/")[0]) for each in fresh)
    for (reason, agent), count in sorted(groups.items()):
        own = [each for each in fresh if (each.reason, each.address.partition("/")[0]) == (reason, agent)]
        newest = max(own, key=lambda each: each.at_ms)
        letters = "An event was" if count == 1 else f"{count} events were"
        of = f" of {newest.address}" if newest.address else ""
        said = f": {newest.message}" if newest.message else ""
        yield Problem(
            f"letters:{reason}:{agent}",
            "warn",
            f"{letters} given up ({reason}){of}{_short(said)}",
            newest.at_ms,
            "Read the dead letter, mend the cause, replay it.",
            f"/letters?reason={quote(reason)}",
        )


def _flink(facts: Facts) -> Iterator[Problem]:
    flink = facts.flink
    if flink is None:
        return
    if flink.state != "RUNNING":
        yield Problem(
            "job",
            "bad",
            f"The Flink job {'is ' + flink.state if flink.state else 'is not there'}: no turn is taken"
            f"{_short(': ' + flink.restart_cause) if flink.restart_cause else ''}",
            flink.since_ms,
            "It restarts by itself while it is RESTARTING; else read the cause and submit it again.",
            "/cluster",
        )
    if flink.silent_since_ms and flink.task_managers >= flink.expected_task_managers:
        yield Problem(
            "taskmanagers",
            "bad",
            f"A TaskManager has stopped: no heartbeat for {(facts.now_ms - flink.silent_since_ms) // 1_000} s",
            flink.silent_since_ms,
            "Flink gives it up after heartbeat.timeout and goes on elsewhere. End its process to be faster.",
            "/cluster",
        )
    if flink.task_managers < flink.expected_task_managers:
        yield Problem(
            "taskmanagers",
            "bad",
            f"{flink.task_managers} of {flink.expected_task_managers} TaskManagers are there: "
            "one has stopped or cannot be reached",
            flink.restarted_ms,
            "Start it again. The job goes on where the last checkpoint was.",
            "/cluster",
        )
    elif flink.state == "RUNNING" and facts.now_ms - flink.restarted_ms <= RESTARTED_MS:
        yield Problem(
            "restarted",
            "warn",
            f"The job restarted ({flink.restarts} times in its life){_short(': ' + flink.restart_cause)}",
            flink.restarted_ms,
            "Nothing is lost. If it repeats, the cause and the TaskManager's log say why.",
            "/cluster",
        )
    yield from _checkpoints(flink, facts.now_ms)
    lag = flink.lag or 0
    if lag >= LAG_LEAST and flink.lag_before is not None and lag > flink.lag_before:
        yield Problem(
            "lag",
            "warn",
            f"{lag:,} records wait in the topics, and they become more",
            0,
            "More comes than is taken: see which operator is busy or held back.",
            "/cluster",
        )


def _checkpoints(flink: FlinkFact, now_ms: int) -> Iterator[Problem]:
    if flink.failed_checkpoint_ms > flink.checkpoint_ms:
        yield Problem(
            "checkpoint",
            "bad",
            f"The last checkpoint failed{_short(': ' + flink.failed_checkpoint_why)}",
            flink.failed_checkpoint_ms,
            "Outputs become visible with the next good one. See that its storage can be written.",
            "/cluster",
        )
        return
    late_ms = max(CHECKPOINT_LATE_MS, CHECKPOINT_LATE_TIMES * flink.checkpoint_interval_ms)
    started_ms = flink.checkpoint_ms or flink.since_ms
    if flink.state == "RUNNING" and started_ms and now_ms - started_ms > late_ms:
        yield Problem(
            "checkpoint",
            "warn",
            f"No checkpoint for {(now_ms - started_ms) // 1_000} s",
            started_ms,
            "Outputs wait for it. Back-pressure or slow storage holds it up.",
            "/cluster",
        )


def _budgets(facts: Facts) -> Iterator[Problem]:
    for budget in facts.budgets:
        if budget.limit_nanos and budget.spent_nanos >= BUDGET_NEAR * budget.limit_nanos:
            is_spent = budget.spent_nanos >= budget.limit_nanos
            share = 100 * budget.spent_nanos // budget.limit_nanos
            yield Problem(
                f"budget:{budget.whose}",
                "bad" if is_spent else "warn",
                f"The budget of {budget.whose} is {'spent' if is_spent else f'spent to {share} %'}",
                budget.refused_ms,
                "Raise it, or wait for its next period. What is refused meanwhile is not lost.",
                "/cost",
            )
        elif budget.refused_ms and facts.now_ms - budget.refused_ms <= REFUSED_MS:
            yield Problem(
                f"budget:{budget.whose}",
                "bad",
                f"The budget of {budget.whose} is spent: turns are refused (budget)",
                budget.refused_ms,
                "Raise it, or wait for its next period.",
                "/cost",
            )


def _history(facts: Facts) -> Iterator[Problem]:
    if facts.history_problem:
        yield Problem(
            "history",
            "bad",
            f"The history does not go on: {facts.history_problem}",
            0,
            "Turns go on. Read the history service's log; it goes on where it was.",
            "/cluster",
        )
    elif (facts.history_behind or 0) > HISTORY_BEHIND:
        yield Problem(
            "history",
            "warn",
            f"The history is {facts.history_behind:,} records behind",
            0,
            "Timelines and states show what was until then.",
            "/cluster",
        )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 240 else f"{line[:239]}…"
