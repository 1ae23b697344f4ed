"""Whether a service can serve an agent type, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.core.service import endpoints_of
from headgate.rpc.health import Answer, ask_all
from headgate.rpc.probe import NO_GRPC, why_unreachable
from headgate.v1.connection_pb2 import Connection
from headgate.v1.turn_pb2 import AgentSpec

CONTRACT_VERSION = 1
"""Of `proto/headgate/v1/agent.proto`, which services were built against."""


def objection(
    answer: Answer, agent_type: str, connection: Connection, revisions: Sequence[str] = ()
) -> str:
    """Say why a service that answered so cannot serve a type; empty if it can.

    revisions: those that it is asked for, if that matters.
    """
    match answer.health:
        case "unreachable":
            return f"not reachable: {_reason(answer, connection)}"
        case "no_health_service" if not answer.is_a2a:
            return (
                "it has no health service: serve grpc.health.v1 beside AgentService "
                "(headgate.sdk.serve does); or does it speak A2A (--wire a2a)?"
            )
        case "not_serving" | "unknown" | "service_unknown":
            return f"its health is {answer.health.upper()}: it takes no turns now"
    if answer.is_a2a:
        return f"it takes no A2A calls: {answer.problem}" if answer.problem else ""
    if answer.problem:
        return f"it does not say what it hosts: {answer.problem}"
    if answer.contract_version != CONTRACT_VERSION:
        return (
            f"it was built against version {answer.contract_version} of the contract; this "
            f"Headgate speaks {CONTRACT_VERSION}"
        )
    if answer.revision_of(agent_type) is None:
        hosted = ", ".join(name for name, _ in answer.revisions) or "nothing"
        return f"it does not host {agent_type!r}; it hosts {hosted}"
    served = [revision for name, revision in answer.revisions if name == agent_type]
    missing = [each for each in revisions if each not in served]
    if missing:
        has = ", ".join(repr(each) for each in served)
        return f"it serves {agent_type!r} in revision {has}, not in {missing[0]!r}"
    return ""


def examine(spec: AgentSpec) -> list[dict[str, Any]]:
    """Ask all services of an agent at once; return agent, endpoint, health and problem of each."""
    endpoints = endpoints_of(spec)
    asked = ask_all(endpoints, dict.fromkeys(endpoints, spec.connection))
    return [
        {
            "agent": spec.type,
            "endpoint": endpoint,
            "health": asked[endpoint].health,
            "problem": objection(
                asked[endpoint], spec.type, spec.connection, _revisions_at(endpoint, spec)
            ),
        }
        for endpoint in endpoints
    ]


def _reason(answer: Answer, connection: Connection) -> str:
    found = why_unreachable(answer.endpoint, connection)
    if not found:
        return answer.problem
    if found == NO_GRPC and "no answer" not in answer.problem:
        # It answered, if with an error: that says more.
        return answer.problem
    return found if "no answer" in answer.problem else f"{found} ({answer.problem})"


def _revisions_at(endpoint: str, spec: AgentSpec) -> list[str]:
    wanted = [spec.revision] if endpoint in spec.endpoints and spec.revision else []
    if endpoint in (spec.canary.endpoints or spec.endpoints) and spec.HasField("canary"):
        wanted.append(spec.canary.revision)
    return wanted
