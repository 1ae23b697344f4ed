"""`headgate replay`: what another revision would have made of past turns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output, OutputOption, as_json
from headgate.cli.past import HistoryOption, open_history
from headgate.cli.replay_views import bar, show
from headgate.cli.replayable import Given, from_file, from_past
from headgate.cli.turns import (
    FromOption,
    KeyOption,
    ToOption,
    TurnsError,
    read_agent_type,
    read_span,
)
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.replay.report import Report

DIFFERENT = 3
"""Exit code where something differs: 1 is an error, 2 a command that was typed wrongly."""


class UnfitEndpointError(HeadgateError):
    """The service that turns are to be put to cannot take them.

    Operator action: start it, or correct --endpoint; the message says what is wrong with it.
    """


def replay(
    *,
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="TYPE", help="Agent type.", show_default=False),
    ] = None,
    key: KeyOption = None,
    start: FromOption = None,
    end: ToOption = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Turns that `headgate record` wrote, instead of --agent and --from.",
            show_default=False,
        ),
    ] = None,
    endpoint: Annotated[
        str,
        typer.Option(
            "--endpoint", metavar="HOST:PORT", help="Of the other revision.", show_default=False
        ),
    ],
    each: Annotated[
        bool,
        typer.Option(
            "--each",
            help="Give each turn the state that was recorded before it, so that a difference is "
            "its own. Default: the state that the other revision has made so far.",
        ),
    ] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="NAME",
            help="A value, list or timer, or a type of outputs or messages, to pass over. Repeat "
            "for more.",
        ),
    ] = None,
    at_once: Annotated[
        int,
        typer.Option("--at-once", min=1, max=1000, metavar="N", help="Instances side by side."),
    ] = 16,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    history: HistoryOption = None,
) -> None:
    """Put past turns to another revision, apart from the job, and show what would differ.

    Nothing leaves: its outputs, messages and timers are compared and
    dropped, no topic and no store is written. [bold]But what the agent itself
    calls (a model, another service) is called[/], and paid for: serve that
    revision where it may. Times, ids and idempotency keys are those of then.

    It gets the events that were, whatever it does: a timer that only it
    sets does not fire, an answer to what only it asks does not come. Exit code
    0: all came to the same; 3: something differs; 1: it could not be done.

    [bold]Examples[/]

      headgate replay --agent order --from 2h --endpoint localhost:7071
      headgate replay --agent order --from 1d --to 1h --key 17 --endpoint localhost:7071 --each
      headgate replay --file turns.jsonl --endpoint localhost:7071 -o json
    """
    _check_endpoint(endpoint)
    with ExitStack() as opened:
        if file is not None:
            if agent or key or start or end:
                message = "--file says which turns; leave --agent, --key, --from and --to out"
                raise TurnsError(message)
            given = from_file(file, endpoint)
        else:
            if not agent or not start:
                message = "which turns? Give --agent TYPE and --from TIME, or --file FILE"
                raise TurnsError(message)
            given = opened.enter_context(
                from_past(
                    find_broker(config, bootstrap),
                    open_history(history, config),
                    read_agent_type(agent),
                    keys=key or (),
                    span=read_span(start, end),
                    endpoint=endpoint,
                )
            )
        _check_service(given)
        report = _play(given, carries=not each, ignored=ignore or (), at_once=at_once)
    if output is Output.JSON:
        mode = "each" if each else "carried"
        as_json({"agent": given.agent_type, "endpoint": endpoint, "mode": mode, **report.view()})
    else:
        show(report, carries=not each)
    if not report.turns:
        message = f"no turn of {given.agent_type!r} could be replayed"
        raise TurnsError(message)
    if report.different:
        raise typer.Exit(DIFFERENT)


def _play(given: Given, *, carries: bool, ignored: Iterable[str], at_once: int) -> Report:
    from headgate.replay.asking import Asking
    from headgate.replay.what_if import what_if

    # That a service is reachable is news for a job; here it would stand in the midst of the bar.
    logging.getLogger("headgate.rpc").setLevel(logging.ERROR)

    async def play() -> Report:
        with bar(given.instances) as shown:
            async with Asking(max_record_bytes=given.max_record_bytes) as asking:
                return await what_if(
                    given.turns,
                    asking.ask,
                    given.way,
                    carries=carries,
                    ignored=tuple(ignored),
                    at_once=at_once,
                    told=shown,
                )

    return asyncio.run(play())


def _check_endpoint(endpoint: str) -> None:
    from headgate.config.agents import is_host_port

    if not is_host_port(endpoint):
        message = f"--endpoint {endpoint!r}: write HOST:PORT, such as localhost:7071"
        raise UnfitEndpointError(message)


def _check_service(given: Given) -> None:
    from headgate.rpc.fitness import objection
    from headgate.rpc.health import ask
    from headgate.v1.connection_pb2 import Service

    way = given.way
    connection = Service.FromString(way.service).connection
    wrong = objection(ask(way.endpoint, connection=connection), given.agent_type, connection)
    if wrong:
        message = f"{way.endpoint} cannot take turns of {given.agent_type!r}: {wrong}"
        raise UnfitEndpointError(message)
