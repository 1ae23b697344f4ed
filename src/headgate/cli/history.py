"""`headgate history`: the service that keeps what every instance knew at any moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, Broker, ConfigOption, find_broker
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.cli.past import HistoryOption, open_history
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.listening import Places

history = typer.Typer(help="Keep what every instance knew at any moment.", no_args_is_help=True)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. Default: headgate.toml's.",
        envvar="HEADGATE_HISTORY_STORE",
        show_default=False,
    ),
]


class NotConfirmedError(HeadgateError):
    """A command that removes data was not confirmed.

    Operator action: give --yes.
    """


@history.command("serve")
def serve(
    *,
    store: StoreOption = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="HOST", help="Address to listen on. It asks nobody who they are."
        ),
    ] = "127.0.0.1",
    http_port: Annotated[
        int,
        typer.Option("--http-port", min=0, max=65_535, metavar="PORT", help="0: any that is free."),
    ] = 7090,
    grpc_port: Annotated[
        int,
        typer.Option("--grpc-port", min=0, max=65_535, metavar="PORT", help="0: any that is free."),
    ] = 7091,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Follow the history into a store and answer questions from it, until Ctrl-C.

    What it has read is written together with how far that was: killed at
    any point, it goes on without losing or repeating a turn. One of these
    per store; the embedded stack has its own.

    [bold]Examples[/]

      headgate history serve
      headgate history serve --store postgresql://headgate@db/history
      curl localhost:7090/state/order/17?as_of=10m
    """
    broker = find_broker(config, bootstrap)
    from headgate.history.serve import serve as serving
    from headgate.listening import Places

    def say(places: Places) -> None:
        http = f"http://{places.host}:{places.http_port}"
        grpc = f"{places.host}:{places.grpc_port}"
        if output is Output.JSON:
            as_json({"http": http, "grpc": grpc})
        else:
            answers.print(f"HTTP at {http}, gRPC at {grpc}. Ctrl-C ends it.")

    asyncio.run(
        serving(
            broker.bootstrap,
            broker.config.topic_names.history,
            store or broker.config.history.store,
            Places(host, http_port, grpc_port),
            say,
            keep=broker.config.history.keep,
        )
    )


@history.command("status")
def status(
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    service: HistoryOption = None,
) -> None:
    """Show how far the store has read, and until when all is known.

    [bold]Example[/]

      headgate history status
    """
    from headgate.history.views import position_view

    with open_history(service, config) as asked:
        seen = position_view(asked.position())
    if output is Output.JSON:
        as_json(seen)
        return
    partitions = seen.pop("partitions")
    table(("", ""), [(name, plain(str(value))) for name, value in seen.items() if value != ""])
    columns = ("partition", "next_offset", "end_offset", "closed")
    table(columns, [[str(each[name]) for name in columns] for each in partitions])


@history.command("rebuild")
def rebuild(
    *,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Empty the store: `headgate history serve` then makes it anew from the topic.

    What the topic no longer has is gone then: it keeps a month, unless its
    retention.ms was changed. End `headgate history serve` first.

    [bold]Example[/]

      headgate history rebuild --yes
    """
    broker = find_broker(config, bootstrap)
    url = store or broker.config.history.store
    if not yes:
        message = f"this removes all that {_shown(url)} holds; give --yes to do it"
        raise NotConfirmedError(message)
    _empty(broker, url)
    answers.print(f"{_shown(url)} is empty; `headgate history serve` fills it again")


def _empty(broker: Broker, url: str) -> None:
    from headgate.history.opening import erase

    erase(url, topic=broker.config.topic_names.history)


def _shown(url: str) -> str:
    from headgate.history.opening import shown

    return shown(url)
