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
    MailboxLimit,
    OnExhausted,
    OnFull,
    Rate,
    Revision,
    StateTtl,
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
from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.canary import keep, read_share, with_canary
from headgate.cli.job_topics import check_topics
from headgate.cli.look import Output, OutputOption, answers, as_json
from headgate.cli.registered import find_agent, read, write
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import AgentSpec


class UnfitServiceError(HeadgateError):
    """A service cannot serve the agent as it is.

    Operator action: put right what the message says, or attach with --force, and the calls wait
    until the service is there.
    """


class NoEndpointError(HeadgateError):
    """Nothing says where the agent's service listens.

    Operator action: give --endpoint HOST:PORT, or a --file that names one.
    """


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
    if not given.get("endpoint") and file is None and share is None:
        message = f"where is {name}? Give --endpoint HOST:PORT, or --file"
        raise NoEndpointError(message)
    from headgate.config.attached import read_attached
    from headgate.kafka.specs import specs_of
    from headgate.rpc.fitness import examine

    contents = read(broker)
    known = contents.specs.get(name)
    if share is not None:
        beside = {"route": route, "file": file}
        spec = with_canary(
            find_agent(contents, name), given=given, beside=beside, revision=revision, share=share
        )
    else:
        made = read_attached(name, given, route or (), file=file, limits=broker.config.limits)
        [spec] = specs_of(made).values()
        # Before its services are asked: they must serve the revisions that stay, too.
        if known is not None:
            keep(known, spec)
        if revision is not None:
            spec.revision = revision
    check_topics((each.topic for each in spec.routes), contents, broker)
    problems = [
        f"{each['endpoint']}: {each['problem']}" for each in examine(spec) if each["problem"]
    ]
    if problems and not force:
        advice = "Put that right, or give --force to attach it all the same."
        if spec.revision and revision is None:
            advice += (
                f" It is pinned to revision {spec.revision} since before: --revision R pins it to "
                "another, --revision '' to none."
            )
        message = "\n".join([f"{name} is not attached:", *problems, advice])
        raise UnfitServiceError(message)
    write(broker, contents, name, spec)
    if output is Output.JSON:
        as_json(registered(spec) | {"is_new": known is None, "problems": problems})
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
