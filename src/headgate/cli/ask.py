"""`headgate ask`: send an event to an instance and print what comes of it."""

from __future__ import annotations

import json
import uuid
from typing import Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain
from headgate.cli.typed import data_bytes
from headgate.errors import HeadgateError


class NoReplyError(HeadgateError):
    """There is no reply in time.

    Operator action: ask again with the same --id, which waits on; `headgate instances describe`
    shows what the instance does.
    """


class NotTakenError(HeadgateError):
    """The agent has refused, or the event was given up; the message says why."""


def ask(
    address: Annotated[
        str, typer.Argument(help="The instance: agent type and key, order/17.", show_default=False)
    ],
    event_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="CloudEvents type.", show_default=False)
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="JSON | @FILE", help="Its data.", show_default=False)
    ] = None,
    *,
    request_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Sent again, it is the same request. Default: new"),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="For the reply, at most.")
    ] = 30.0,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Send an event to an instance and print what its agent answers.

    It needs no topic and no route. The turn that takes it is a turn like
    any other; its outputs leave through the outbox too.

    [bold]Example[/]

      headgate ask order/17 shop.order.ask '{"text": "where is it?"}'
    """
    read_address(address)
    broker = find_broker(config, bootstrap)
    from headgate.door.desk import Desk
    from headgate.door.views import reply_view
    from headgate.v1.agent_pb2 import Event

    event = Event(id=request_id or str(uuid.uuid4()), type=event_type)
    if data is not None:
        event.data = data_bytes(data)
    with Desk(broker.bootstrap, broker.config) as desk:
        try:
            reply = desk.ask(address, event).result(wait)
        except TimeoutError:
            message = f"{address} has not replied within {wait:g} s; ask again with --id {event.id}"
            raise NoReplyError(message) from None
    view = reply_view(reply)
    if output is Output.JSON:
        as_json(view)
    elif view["status"] == "done":
        for each in view["outputs"]:
            answers.print(plain(f"{each['type']} {json.dumps(each.get('data'))}"))
        if view.get("result") is not None:
            print(json.dumps(view["result"], indent=2, ensure_ascii=False))
        elif not view["outputs"]:
            answers.print(f"turn {view['turn']} has taken it")
    if view["status"] != "done":
        reason = view.get("reason", "refused")
        message = f"{address}: {reason}: {view.get('message', '')}"
        raise NotTakenError(message)
