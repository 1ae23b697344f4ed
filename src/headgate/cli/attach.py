"""`headgate agents attach`: an agent service gets events of the running job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.agent_views import policy_summary, registered, routes_summary
from headgate.cli.attach_options import (
    Attempts,
    Batch,
    CanaryShare,
    Concurrency,
    Deadline,
    Estimate,
    MailboxLimit,
    OnExhausted,
    OnFull,
    Rate,
    Revision,
    StateTtl,
    Tenant,
    TenantBefore,
    Tls,
    TlsCa,
    TlsCert,
    TlsKey,
    TlsName,
    TokenEnv,
    TokenFile,
    Wire,
    table_of,
)
from headgate.cli.attaching import attach_agent
from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.canary import read_share
from headgate.cli.look import Output, OutputOption, answers, as_json

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import AgentSpec


def attach(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Agent type.", show_default=False)],
    *,
    endpoint: Annotated[
        list[str] | None,
        typer.Option("--endpoint", metavar="HOST:PORT", help="Of its service. Repeat for more."),
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            "--route",
            metavar="TOPIC[:PATTERN]",
            help="Events it gets: all of a topic, or those whose CloudEvents type matches, such as "
            "'messages:shop.order.*'. Repeat for more. Default: as it was attached before.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help=r"TOML with the keys of \[agents.NAME]."),
    ] = None,
    wire: Wire = None,
    deadline: Deadline = None,
    attempts: Attempts = None,
    batch: Batch = None,
    on_exhausted: OnExhausted = None,
    state_ttl: StateTtl = None,
    mailbox_limit: MailboxLimit = None,
    on_full: OnFull = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    tenant: Tenant = None,
    tenant_before: TenantBefore = None,
    estimate: Estimate = None,
    tls: Tls = False,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_name: TlsName = None,
    token_file: TokenFile = None,
    token_env: TokenEnv = None,
    revision: Revision = None,
    canary: CanaryShare = None,
    force: Annotated[
        bool, typer.Option("--force", help="Attach although a service does not answer as it must.")
    ] = False,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Attach an agent while the job runs, or change how one is attached.

    Its services are asked first, and nothing is written if one is not
    reachable, not healthy, or does not host the agent. It then gets the
    events that the job reads from now on, within a second. Topics are fixed
    when the job starts: only those that it reads can be routed.

    What is not named is as by default, not as it was before, policy
    included; only routes, pauses, revision pins and a canary stay.

    With --canary a newer revision gets so many of the instances, each always
    the same one, until it is promoted or rolled back.

    [bold]Examples[/]

      headgate agents attach order --endpoint localhost:7070 --route messages
      headgate agents attach audit --endpoint a:7070 --endpoint b:7070 --route 'messages:shop.*'
      headgate agents attach order --file order.toml --route messages
      headgate agents attach order --endpoint localhost:7071 --revision v2 --canary 10%
    """
    broker = find_broker(config, bootstrap)
    share = None if canary is None else read_share(canary)
    given = table_of(
        endpoint,
        wire=wire,
        money={"tenant": tenant, "tenant_before": tenant_before, "estimate": estimate},
        policy={
            "deadline": deadline,
            "max_attempts": attempts,
            "max_batch": batch,
            "on_exhausted": on_exhausted,
            "state_ttl": state_ttl,
            "mailbox_limit": mailbox_limit,
            "on_full": on_full,
            "concurrency": concurrency,
            "rate": rate,
        },
        has_tls=tls,
        tls={
            "ca_file": tls_ca,
            "cert_file": tls_cert,
            "key_file": tls_key,
            "server_name": tls_name,
        },
        token={"file": token_file, "env": token_env},
    )
    made = attach_agent(
        broker, name, given, route=route, file=file, revision=revision, share=share, force=force
    )
    spec, problems = made.spec, made.problems
    if output is Output.JSON:
        as_json(registered(spec) | {"is_new": made.is_new, "problems": problems})
    else:
        _say(spec, problems)


def _say(spec: AgentSpec, problems: list[str]) -> None:
    for problem in problems:
        answers.print(f"[yellow]although[/] {problem}", highlight=False)
    shown = registered(spec)
    where, routes = ", ".join(spec.endpoints), routes_summary(shown["routes"])
    pinned = f" in revision {spec.revision}" if spec.revision else ""
    answers.print(f"{spec.type} is attached at {where}{pinned}; routes: {routes}", highlight=False)
    answers.print(f"Its policy: {policy_summary(shown['policy'])}", highlight=False)
    if "canary" in shown:
        canary = shown["canary"]
        where = ", ".join(canary["endpoints"])
        said = f"{canary['percent']:g} % of its instances go to {where}, {canary['revision']}"
        answers.print(said, highlight=False)
    if not spec.routes:
        answers.print(
            "It has no route: it gets messages, signals and requests, and no topic's events. For "
            "those attach it again with --route TOPIC."
        )
    if spec.paused:
        answers.print(f"It is paused: [bold]headgate agents resume {spec.type}[/]")
