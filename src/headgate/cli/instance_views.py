"""`headgate instances list` and `describe`: looking at instances without touching them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, Broker, ConfigOption, find_broker
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, problems, table
from headgate.cli.registered import doubt, read
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import InstanceReport

# The answer comes within a second; a job that fails over takes half a minute on a busy machine.
WAIT_SECONDS = 40.0
MESSAGE_CHARS = 60


class OnlyParkedError(HeadgateError):
    """All instances cannot be listed, only the parked ones.

    Operator action: add --parked; for one instance, `headgate instances describe ADDRESS`.
    """


class NoAnswerError(HeadgateError):
    """Nobody has answered how an instance is.

    Operator action: see that the job runs (`headgate status`).
    """


def ask(broker: Broker, address: str) -> InstanceReport:
    """Return what the job knows of an instance.

    Raises:
        NoAnswerError: nobody has answered.
    """
    from headgate.kafka.inspect import inspect

    found = inspect(broker.bootstrap, broker.config, address, wait_seconds=WAIT_SECONDS)
    if found is None:
        message = f"nobody answered how {address} is within {WAIT_SECONDS:.0f} s; does the job run?"
        raise NoAnswerError(message)
    return found


def list_instances(
    *,
    parked: Annotated[
        bool, typer.Option("--parked", help="Those that take no turn until they are resumed.")
    ] = False,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="TYPE", help="Only of this agent type.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="The N parked longest.")
    ] = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List parked instances, since when and why, as of the newest checkpoint.

    [bold]Example[/]

      headgate instances list --parked --agent order
    """
    if not parked:
        message = (
            "millions of instances are kept by Flink, and nobody else has a list of them: give "
            "--parked for those that are parked, or `describe` one"
        )
        raise OnlyParkedError(message)
    broker = find_broker(config, bootstrap)
    from headgate.kafka.parked import read_parked
    from headgate.kafka.reports import parked_view

    found = sorted(
        read_parked(broker.bootstrap, broker.config.topic_names).items(),
        key=lambda item: item[1].at_us,
    )
    wanted = [(at, each) for at, each in found if not agent or at.partition("/")[0] == agent]
    views = [parked_view(address, each) for address, each in wanted[:limit]]
    if output is Output.JSON:
        as_json(views)
    elif not views:
        answers.print("No parked instances.")
    else:
        columns = ("address", "since", "turn", "code", "message")
        table(columns, [[_short(str(each[name])) for name in columns] for each in views])


def describe(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Such as order/17.", show_default=False)
    ],
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show how an instance is now: turn in flight, what waits, the last failure, its state.

    [bold]Example[/]

      headgate instances describe order/17
    """
    read_address(address)
    broker = find_broker(config, bootstrap)
    from headgate.kafka.reports import report_view

    seen = report_view(ask(broker, address))
    if output is Output.JSON:
        as_json(seen)
        return
    if len(seen) <= len(("address", "status")):
        # Nothing was ever for it.
        doubtful = doubt(read(broker), address.partition("/")[0])
        if doubtful:
            problems.print(doubtful, markup=False, highlight=False)
    rows = []
    for name, value in seen.items():
        if isinstance(value, dict):
            rows += [(f"{name}.{part}", _text(each)) for part, each in value.items()]
        elif isinstance(value, list):
            rows += [(name, _text(each)) for each in value]
        else:
            rows.append((name, _text(value)))
    table((address, ""), rows[1:])


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain(text)


def _short(text: str) -> str:
    return plain(text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 1] + "…")
