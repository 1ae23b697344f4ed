"""`headgate door`: serve the front door."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output, OutputOption, answers, as_json

if TYPE_CHECKING:
    from headgate.listening import Places


def door(
    *,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="HOST",
            help="Address to listen on. Without --tokens it asks nobody who they are.",
        ),
    ] = "127.0.0.1",
    http_port: Annotated[
        int,
        typer.Option("--http-port", min=0, max=65_535, metavar="PORT", help="0: any that is free."),
    ] = 7080,
    grpc_port: Annotated[
        int,
        typer.Option("--grpc-port", min=0, max=65_535, metavar="PORT", help="0: any that is free."),
    ] = 7081,
    tokens: Annotated[
        Path | None,
        typer.Option(
            "--tokens",
            metavar="FILE",
            help="Callers, the digests of their tokens, and whose instances they reach. Default: "
            "door.tokens_file of headgate.toml.",
            show_default=False,
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Serve request and response to agents, over HTTP and gRPC, until Ctrl-C.

    A request is an event that one turn takes, whatever crashes; its
    reply comes as soon as that turn counts, in tens of milliseconds.
    Start as many as you like: a repeated Idempotency-Key is one request
    at all of them.

    [bold]Examples[/]

      headgate door
      curl localhost:7080/agents/order/17?type=shop.order.ask -d '{"text": "where is it?"}'
      curl localhost:7080/agents/order/17
      curl -N -H 'Accept: text/event-stream' localhost:7080/workflows/refund/17
    """
    broker = find_broker(config, bootstrap)
    settings = broker.config
    if tokens is not None:
        named = settings.door.model_copy(update={"tokens_file": str(tokens)})
        settings = settings.model_copy(update={"door": named})
    from headgate.door.serve import serve
    from headgate.listening import Places

    def say(places: Places) -> None:
        http = f"http://{places.host}:{places.http_port}"
        grpc = f"{places.host}:{places.grpc_port}"
        if output is Output.JSON:
            as_json({"http": http, "grpc": grpc})
        else:
            answers.print(f"HTTP at {http}, gRPC at {grpc}. Ctrl-C ends it.")

    asyncio.run(serve(broker.bootstrap, settings, Places(host, http_port, grpc_port), say))
