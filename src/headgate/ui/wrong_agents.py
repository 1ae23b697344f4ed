"""What is wrong with an agent: it cannot be reached, it hangs, it fails. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from headgate.ui.facts import AgentFact, Facts
from headgate.ui.problem import Problem

UNFIT = frozenset({"unreachable", "not_serving", "not_hosted", "no_endpoint"})
SILENT_MS = 8_000
"""An agent whose instances have work and that ends no turn for so long hangs, unless its turns are
known to take longer."""
SLOW_TIMES = 3
"""Its slowest calls times this is patience enough."""
LATE_MS = 60_000
"""A deadline that passed is told for so long."""
UNHEALTHY_MS = 2_500
"""A service that restarts misses a health check or two."""
FAILING_SHARE, FAILING_LEAST = 0.2, 3
"""Of the calls of half a minute: fewer failures than three are chance."""


def agent_problems(agent: AgentFact, facts: Facts) -> Iterator[Problem]:
    """Yield what is wrong with one agent."""
    name, link = agent.name, f"/agents/{quote(agent.name)}"
    unfit_ms = facts.now_ms - agent.unhealthy_since_ms if agent.health in UNFIT else 0
    if agent.state == "attached" and unfit_ms >= UNHEALTHY_MS:
        where = ", ".join(agent.endpoints) or "no endpoint"
        said = agent.health.replace("_", " ")
        problem = f" ({agent.problem})" if agent.problem else ""
        yield Problem(
            f"health:{name}",
            "bad",
            f"Agent {name} is {said} at {where}{problem}{_waiting(agent)}",
            agent.unhealthy_since_ms,
            "Start its service, or attach it where it is. Its events wait; none is lost.",
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
        # One that has answered nobody since hangs as before, though its turns end now.
        what = "did not answer" if agent.completed else "hangs at"
        yield Problem(
            f"late:{name}",
            "warn" if agent.completed else "bad",
            f"Agent {name} {what} {agent.late_address}: the deadline of "
            f"{agent.deadline_ms / 1_000:g} s passed",
            agent.late_ms,
            "Its event is tried again as often as its agent may be, and is then a dead letter. If "
            "calls may take so long, give it a longer deadline.",
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
