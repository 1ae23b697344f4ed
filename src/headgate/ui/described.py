"""An agent type as one fact: registry, services, job and turns together. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from headgate.rpc.health import Answer
from headgate.ui.busy import FIT, BusyTable, health_of
from headgate.ui.facts import AgentFact
from headgate.ui.window import RATE_STEPS, Window
from headgate.v1.turn_pb2 import AgentSpec


def agent_fact(
    spec: AgentSpec, answers: Mapping[str, Answer], busy: BusyTable, window: Window, now_ms: int
) -> AgentFact:
    """Return what is known of an agent."""
    name = spec.type
    healths = [health_of(name, answers.get(each)) for each in spec.endpoints]
    # The best of them: calls go there.
    health, problem = min(healths, key=lambda each: each[0] not in FIT, default=("no_endpoint", ""))
    revisions = sorted({a.revision_of(name) or "" for e in spec.endpoints if (a := answers.get(e))})
    latest = window.total(now_ms, name, RATE_STEPS)
    long = window.total(now_ms, name)
    late_address, late_ms = window.late(name)
    return AgentFact(
        name=name,
        state="draining" if spec.draining else "paused" if spec.paused else "attached",
        health=health,
        problem=problem,
        endpoints=tuple(spec.endpoints),
        unhealthy_since_ms=busy.unhealthy_since_ms(name),
        busy=busy.busy(name),
        # What waits for a budget does not wait for the agent.
        busy_since_ms=0
        if window.is_refused(name)
        else busy.busy_since_ms(name, window.last_ms(name)),
        deadline_ms=spec.policy.deadline_ms,
        rate=window.rate(now_ms, name),
        completed=latest.completed,
        failed=latest.failed,
        codes=tuple(latest.codes.most_common()),
        late_address=late_address,
        late_ms=late_ms,
        p50_ms=long.latency_ms(0.5),
        p99_ms=long.latency_ms(0.99),
        revision=", ".join(each for each in revisions if each),
        routes=", ".join(f"{r.topic}:{r.type}" if r.type else r.topic for r in spec.routes)
        or "none",
    )
