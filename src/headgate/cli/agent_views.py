"""Agents as people and programs read them: what the registry says, and what their services say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.rpc.health import Answer
    from headgate.v1.connection_pb2 import Connection
    from headgate.v1.turn_pb2 import AgentSpec, Policy

_COLOURS = {"serving": "green", "not_serving": "yellow"}
_NO_ENDPOINT = {"endpoint": "", "health": "no_endpoint", "problem": "", "revision": "", "sdk": ""}


def registered(spec: AgentSpec) -> dict[str, Any]:
    """Return what the registry says of an agent; nobody is asked."""
    from headgate.core.prices import units
    from headgate.core.service import service_bytes
    from headgate.v1.connection_pb2 import WIRE_A2A

    shown: dict[str, Any] = {
        "type": spec.type,
        "state": "draining" if spec.draining else "paused" if spec.paused else "attached",
        "routes": [{"topic": route.topic, "type": route.type or "*"} for route in spec.routes],
        "endpoints": list(spec.endpoints),
        "wire": "a2a" if spec.connection.wire == WIRE_A2A else "headgate",
        "revision_pin": spec.revision,
        "paused": spec.paused,
        "draining": spec.draining,
        "policy": policy_view(spec.policy),
        "updated_ms": spec.updated_ms,
    }
    if spec.HasField("tenancy"):
        shown["tenant"] = spec.tenancy.name or f"what stands before {spec.tenancy.before!r}"
    if spec.estimate_nanos:
        shown["estimate"] = units(spec.estimate_nanos)
    if spec.HasField("canary"):
        canary = spec.canary
        shown["canary"] = {
            "revision": canary.revision,
            "endpoints": list(canary.endpoints or spec.endpoints),
            "percent": canary.share / 100,
        }
    if service_bytes(spec, spec.endpoints):
        shown["connection"] = _connection_view(spec.connection)
        limits = {field.name: value for field, value in spec.limits.ListFields()}
        if limits:
            shown["limits"] = limits
    return shown


def describe(spec: AgentSpec, asked: dict[str, Answer]) -> dict[str, Any]:
    """Return registry and services together; `health` is the best of the endpoints'."""
    endpoints = [_endpoint(spec.type, asked[endpoint]) for endpoint in spec.endpoints]
    healths = [endpoint["health"] for endpoint in endpoints]
    shown = registered(spec) | {
        "health": "serving" if "serving" in healths else (healths or ["no_endpoint"])[0],
        "revisions": sorted({e["revision"] for e in endpoints if e["revision"]}),
        "endpoints": endpoints,
    }
    if "canary" in shown:
        own = [_endpoint(spec.type, asked[each]) for each in shown["canary"]["endpoints"]]
        shown["canary"]["endpoints"] = own
    return shown


def policy_view(policy: Policy) -> dict[str, Any]:
    """Return a policy with plain values."""
    from headgate.v1.agent_pb2 import ADVICE_PARK

    shown = {field.name: getattr(policy, field.name) for field in policy.DESCRIPTOR.fields}
    shown["on_exhausted"] = "park" if policy.on_exhausted == ADVICE_PARK else "dead_letter"
    return shown


def policy_summary(policy: dict[str, Any]) -> str:
    """Return the part of a policy that people look for."""
    from datetime import timedelta

    from headgate.config.durations import format_duration

    deadline = format_duration(timedelta(milliseconds=policy["deadline_ms"]))
    return (
        f"{deadline}, {policy['max_attempts']} attempts, then {policy['on_exhausted']}; "
        f"batches of {policy['max_batch']}"
    )


def routes_summary(routes: list[dict[str, str]]) -> str:
    """Return routes as they are written at attach; where they take every type, without it."""
    shown = [r["topic"] if r["type"] == "*" else f"{r['topic']}:{r['type']}" for r in routes]
    return ", ".join(shown) or "none"


def rows_of(described: list[dict[str, Any]]) -> list[list[object]]:
    """Return a row for each endpoint: agent, routes, endpoint, health, revision."""
    from rich.markup import escape

    rows: list[list[object]] = []
    for agent in described:
        state = "" if agent["state"] == "attached" else f" ({agent['state']})"
        first = (agent["type"] + state, routes_summary(agent["routes"]))
        for number, endpoint in enumerate(agent["endpoints"] or [_NO_ENDPOINT]):
            name, routes = first if number == 0 else ("", "")
            said = health_text(endpoint["health"])
            if endpoint["problem"]:
                said += f" [dim]{escape(endpoint['problem'])}[/]"
            rows.append([name, routes, endpoint["endpoint"], said, endpoint["revision"]])
        canary = agent.get("canary", {"endpoints": []})
        for endpoint in canary["endpoints"]:
            said, share = health_text(endpoint["health"]), f"canary, {canary['percent']:g} %"
            rows.append(["", share, endpoint["endpoint"], said, canary["revision"]])
    return rows


def health_text(health: str) -> str:
    """Return a health in its colour."""
    return f"[{_COLOURS.get(health, 'red')}]{health}[/]"


def _endpoint(agent_type: str, answer: Answer) -> dict[str, Any]:
    health, problem = answer.health, answer.problem
    revision = answer.revision_of(agent_type)
    if health == "serving" and not (problem or answer.is_a2a) and revision is None:
        hosted = ", ".join(name for name, _ in answer.revisions) or "nothing"
        health, problem = "not_hosted", f"hosts {hosted}"
    return {
        "endpoint": answer.endpoint,
        "health": health,
        "problem": problem,
        "revision": revision or "",
        "sdk": answer.sdk,
    }


def _connection_view(connection: Connection) -> dict[str, Any]:
    """Return how endpoints are reached. Secrets are not in it: files and variables are named."""
    from google.protobuf.json_format import MessageToDict

    shown: dict[str, Any] = MessageToDict(connection, preserving_proto_field_name=True)
    shown.pop("wire", None)
    return shown
