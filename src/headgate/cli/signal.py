"""`headgate signal`: tell an instance something by name."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain
from headgate.cli.typed import data_bytes
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import Signal

NAME_CHARS = 255
ID_CHARS = 1_024


class SignalError(HeadgateError):
    """What was given cannot be sent as a signal.

    Operator action: correct the name, the id or the data as the message says.
    """


def signal(
    address: Annotated[
        str, typer.Argument(help="The instance: agent type and key, order/17.", show_default=False)
    ],
    name: Annotated[str, typer.Argument(help="Name of the signal.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Argument(metavar="JSON | @FILE", help="What it says.", show_default=False),
    ] = None,
    *,
    signal_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Identity; a repeat is taken once. Default: new."),
    ] = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Send a signal to an instance of a running job.

    It waits in the instance's mailbox like any event, and its agent's
    handler for that name takes it: agent.on_signal("approve"). Sent again
    with the same --id, it is taken once.

    [bold]Examples[/]

      headgate signal order/17 approve
      headgate signal order/17 approve '{"by": "ann"}' --id approval-17
    """
    read_address(address)
    broker = find_broker(config, bootstrap)
    from headgate.cli.registered import see_attached
    from headgate.kafka.signals import send_signal

    given = made(name, data, signal_id, broker.config.limits.max_record)
    see_attached(broker, address)
    placed = send_signal(broker.bootstrap, broker.config, address, given)
    if output is Output.JSON:
        as_json(
            {
                "address": address,
                "signal": name,
                "id": given.signal_id,
                "topic": placed.topic,
                "partition": placed.partition,
                "offset": placed.offset,
            }
        )
    else:
        answers.print(f"{plain(name)} is on its way to {plain(address)} (id {given.signal_id})")


def made(name: str, data: str | None, signal_id: str | None, most: int) -> Signal:
    """Return the signal that was typed; a new id if none was.

    Raises:
        SignalError, TypedError: it is none.
    """
    from headgate.v1.turn_pb2 import Signal

    return Signal(
        signal_id=str(uuid.uuid4()) if signal_id is None else _bounded(signal_id, "--id", ID_CHARS),
        name=_bounded(name, "the signal's name", NAME_CHARS),
        data=_data(data, most),
    )


def _bounded(text: str, what: str, most: int) -> str:
    if not 1 <= len(text) <= most:
        message = f"{what} has {len(text)} characters; 1 to {most} are allowed"
        raise SignalError(message)
    return text


def _data(text: str | None, most: int) -> bytes:
    if text is None:
        return b""
    raw = data_bytes(text)
    if len(raw) > most:
        message = f"data has {len(raw)} bytes, limits.max_record allows {most}; send less"
        raise SignalError(message)
    return raw
