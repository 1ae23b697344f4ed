"""`headgate agents`: which agent types are attached, and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output, answers, as_json, table

if TYPE_CHECKING:
    from headgate.rpc.health import Answer
    from headgate.v1.turn_pb2 import AgentSpec, Policy

agents = typer.Typer(help="See which agents are attached, and how they are.", no_args_is_help=True)

_COLOURS = {"serving": "green", "not_serving": "yellow"}


@agents.command("list")
def list_agents(
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one document, for programs.")
    ] = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List the agents of the registry with endpoint, policy, health and revision.

    Every endpoint is asked for its health and its revision; one that is
    silent for a second is unreachable.

    [bold]Example[/]

      headgate agents list -o json | jq '.[] | select(.health != "serving")'
    """
    broker = find_broker(config, bootstrap)
    from headgate.kafka.registry import read_registry
    from headgate.rpc.health import ask_all

    specs = read_registry(broker.bootstrap, broker.config.topic_names.registry)
    ways = {target: spec.connection for spec in specs.values() for target in spec.endpoints}
    asked = ask_all(list(ways), ways)
    described = [describe(specs[name], asked) for name in sorted(specs)]
    if output is Output.JSON:
        as_json(described)
    elif not described:
        answers.print(
            "No agents are attached: name one in headgate.toml as [bold]\\[agents.NAME][/]."
        )
    else:
        table(("agent", "endpoint", "health", "revision", "policy"), _rows(described))


def describe(spec: AgentSpec, asked: dict[str, Answer]) -> dict[str, Any]:
    """Return an agent as programs read it; `health` is the best of its endpoints."""
    endpoints = [_endpoint(spec.type, asked[endpoint]) for endpoint in spec.endpoints]
    healths = [endpoint["health"] for endpoint in endpoints]
    return {
        "type": spec.type,
        "health": "serving" if "serving" in healths else (healths or ["no_endpoint"])[0],
        "revisions": sorted({e["revision"] for e in endpoints if e["revision"]}),
        "revision_pin": spec.revision,
        "paused": spec.paused,
        "endpoints": endpoints,
        "policy": policy_view(spec.policy),
        "updated_ms": spec.updated_ms,
    }


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


def _rows(described: list[dict[str, Any]]) -> list[list[object]]:
    from rich.markup import escape

    rows: list[list[object]] = []
    for agent in described:
        policy = policy_summary(agent["policy"])
        for number, endpoint in enumerate(agent["endpoints"] or [_NONE]):
            colour = _COLOURS.get(endpoint["health"], "red")
            said = f"[{colour}]{endpoint['health']}[/]"
            if endpoint["problem"]:
                said += f" [dim]{escape(endpoint['problem'])}[/]"
            name = agent["type"] + (" (paused)" if agent["paused"] else "")
            first = (name, policy) if number == 0 else ("", "")
            rows.append([first[0], endpoint["endpoint"], said, endpoint["revision"], first[1]])
    return rows


_NONE = {"endpoint": "", "health": "no_endpoint", "problem": "", "revision": "", "sdk": ""}
