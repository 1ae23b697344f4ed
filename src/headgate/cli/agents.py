"""`headgate agents`: which agent types are attached, and how they are."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from headgate.cli import attach, canary, detach
from headgate.cli.agent_views import (
    describe,
    health_text,
    policy_summary,
    routes_summary,
    rows_of,
)
from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output, OutputOption, answers, as_json, table
from headgate.cli.registered import find_agent, read
from headgate.core.service import endpoints_of

agents = typer.Typer(
    help="Attach agents while the job runs, and see how they are.", no_args_is_help=True
)
agents.command("attach")(attach.attach)
agents.command("detach")(detach.detach)
agents.command("pause")(detach.pause)
agents.command("resume")(detach.resume)
agents.command("promote")(canary.promote)
agents.command("rollback")(canary.rollback)


@agents.callback()
def _silence() -> None:
    """Take what stands before the command."""
    # gRPC writes its own lines about a failed handshake into the midst of our answer, which says
    # the same in words. Only here: what is started by `headgate dev` keeps its log.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


@agents.command("list")
def list_agents(
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List the agents of the registry with routes, endpoints, health and revision.

    Every endpoint is asked for its health and its revision; one that is
    silent for a second is unreachable.

    [bold]Example[/]

      headgate agents list -o json | jq '.[] | select(.health != "serving")'
    """
    specs = read(find_broker(config, bootstrap)).specs
    from headgate.rpc.health import ask_all

    ways = {target: spec.connection for spec in specs.values() for target in endpoints_of(spec)}
    asked = ask_all(list(ways), ways)
    described = [describe(specs[name], asked) for name in sorted(specs)]
    if output is Output.JSON:
        as_json(described)
    elif not described:
        answers.print(
            "No agents are attached: see [bold]headgate agents attach --help[/], or name one in "
            "headgate.toml as [bold]\\[agents.NAME][/]."
        )
    else:
        columns = ("agent", "routes", "endpoint", "health", "revision")
        table(columns, rows_of(described))


@agents.command("describe")
def describe_agent(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show all that is known of one agent: routes, endpoints and their health, policy, connection.

    [bold]Example[/]

      headgate agents describe order
    """
    spec = find_agent(read(find_broker(config, bootstrap)), name)
    from headgate.rpc.health import ask_all

    targets = endpoints_of(spec)
    described = describe(spec, ask_all(targets, dict.fromkeys(targets, spec.connection)))
    if output is Output.JSON:
        as_json(described)
        return
    rows: list[tuple[str, object]] = [
        ("state", described["state"]),
        ("routes", routes_summary(described["routes"])),
        ("wire", described["wire"]),
    ]
    rows += [("endpoint", _endpoint_text(each)) for each in described["endpoints"]]
    if "canary" in described:
        canary = described["canary"]
        rows.append(("canary", f"{canary['revision']}, {canary['percent']:g} % of instances"))
        rows += [("canary.endpoint", _endpoint_text(each)) for each in canary["endpoints"]]
    if described["revision_pin"]:
        rows.append(("pinned to revision", described["revision_pin"]))
    rows.append(("policy", policy_summary(described["policy"])))
    # What is zero or off is no limit.
    rows += [(f"policy.{field}", value) for field, value in described["policy"].items() if value]
    for section in ("connection", "limits"):
        rows += [(f"{section}.{key}", value) for key, value in described.get(section, {}).items()]
    table((name, ""), rows)


@agents.command("health")
def health(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Default: all.", show_default=False)
    ] = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Ask services for their health, and say what is wrong. Exit code 1 if any cannot take turns.

    [bold]Examples[/]

      headgate agents health
      headgate agents health order -o json
    """
    contents = read(find_broker(config, bootstrap))
    specs = [find_agent(contents, name)] if name else [*contents.specs.values()]
    from headgate.rpc.fitness import examine

    found = [each for spec in sorted(specs, key=lambda s: s.type) for each in examine(spec)]
    if output is Output.JSON:
        as_json(found)
    else:
        shown = [
            (each["agent"], each["endpoint"], health_text(each["health"]), each["problem"])
            for each in found
        ]
        table(("agent", "endpoint", "health", "problem"), shown)
    if any(each["problem"] for each in found):
        raise typer.Exit(1)


def _endpoint_text(endpoint: dict[str, Any]) -> str:
    from rich.markup import escape

    revision = f", revision {endpoint['revision']}" if endpoint["revision"] else ""
    problem = f" [dim]{escape(endpoint['problem'])}[/]" if endpoint["problem"] else ""
    return f"{endpoint['endpoint']} {health_text(endpoint['health'])}{revision}{problem}"
