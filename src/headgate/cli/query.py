"""`headgate query`: ask an agent about an instance."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.control import read_address
from headgate.cli.typed import data_bytes


def query(
    address: Annotated[
        str, typer.Argument(help="The instance: agent type and key, order/17.", show_default=False)
    ],
    name: Annotated[str, typer.Argument(help="Name of the query.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Argument(metavar="JSON | @FILE", help="What it is given.", show_default=False),
    ] = None,
    *,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Ask an agent about an instance, and print what its handler for that query says, as JSON.

    It reads the state as it stood after the last turn, changes nothing
    and waits for no turn: @agent.on_query("total"). The service is asked
    from here, so its endpoint must be reachable.

    [bold]Examples[/]

      headgate query order/17 total
      headgate query order/17 lines '{"from": 10}' | jq length
    """
    read_address(address)
    broker = find_broker(config, bootstrap)
    from headgate.door.desk import Desk
    from headgate.v1.query_pb2 import QueryRequest

    question = QueryRequest(name=name)
    if data is not None:
        question.data = data_bytes(data)
    with Desk(broker.bootstrap, broker.config) as desk:
        reply = desk.query(address, question)
    if reply.datacontenttype:
        typer.echo(reply.data, nl=False)
    else:
        print(json.dumps(json.loads(reply.data), indent=2, ensure_ascii=False))
