"""`headgate workflows`: starting, looking at and cancelling durable workflows."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli import signal as signals
from headgate.cli import workflow_list as listing
from headgate.cli.broker import BootstrapOption, Broker, ConfigOption, find_broker
from headgate.cli.control import NothingToDoError, read_address
from headgate.cli.instance_views import ask
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.cli.registered import see_attached
from headgate.errors import HeadgateError
from headgate.kafka.workflow_views import ENDED, NO_WORKFLOW, workflow_view

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import Signal

LOOK_SECONDS = 1.0
"""Between two looks at a workflow that is waited for: each is a question to the job."""

STARTED_SECONDS = 5.0
"""A turn comes within a second; one whose service is away or busy may take long: no error."""

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS", help="Agent type and the workflow's id, refund/17.", show_default=False
    ),
]

workflows = typer.Typer(help="Start, find, look at and cancel workflows.", no_args_is_help=True)


class NotEndedError(HeadgateError):
    """The workflow has no result yet.

    Operator action: wait for it with --wait; `headgate workflows describe` shows what it waits for.
    """


class NoWorkflowError(HeadgateError):
    """The instance is of an agent that is no workflow.

    Operator action: correct the address.
    """


class NoResultError(HeadgateError):
    """The workflow has failed or was cancelled; the message says why."""


@workflows.command("start")
def start(
    address: Address,
    data: Annotated[
        str | None,
        typer.Argument(metavar="JSON | @FILE", help="What it is given.", show_default=False),
    ] = None,
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Start a workflow under an id of yours.

    Started a second time, it goes on as it is, and the second data is
    ignored: an id is one workflow.

    [bold]Example[/]

      headgate workflows start refund/order-17 '{"order": 17}'
    """
    from headgate.sdk.workflow.steps import START

    broker = find_broker(config, bootstrap)
    see_attached(broker, address)
    # The id of the signal too, so that a repeat does not even come to be a turn.
    given = signals.made(START, data, START, broker.config.limits.max_record)
    known = _look(broker, address)["status"]
    if known not in {"not started", "parked"}:
        _say(address, given, f"was started before; it is {known}", output, known)
        return
    _send(broker, address, given)
    deadline = time.monotonic() + STARTED_SECONDS
    while (status := _look(broker, address)["status"]) == "not started":
        if time.monotonic() >= deadline:
            said = "will start: the job has not come to it yet"
            _say(address, given, said, output, status)
            return
        time.sleep(LOOK_SECONDS)
    _say(address, given, f"is started; it is {status}", output, status)


workflows.command("list")(listing.list_workflows)


@workflows.command("describe")
def describe(
    address: Address,
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show how far a workflow is: what it waits for, its newest steps, its result.

    [bold]Example[/]

      headgate workflows describe refund/order-17
    """
    seen = _look(find_broker(config, bootstrap), address)
    if output is Output.JSON:
        as_json(seen)
        return
    steps = seen.pop("steps", [])
    rows = [
        (name, plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
        for name, value in seen.items()
    ]
    table((address, ""), rows[1:])
    if steps:
        columns = ("at", "step", "came to")
        table(columns, [[plain(str(each[name])) for name in columns] for each in steps])


workflows.command("signal")(signals.signal)


@workflows.command("cancel")
def cancel(
    address: Address,
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Cancel a workflow: its code is told where it waits, and cleans up.

    [bold]Example[/]

      headgate workflows cancel refund/order-17
    """
    from headgate.sdk.workflow.steps import CANCEL

    broker = find_broker(config, bootstrap)
    status = _look(broker, address)["status"]
    if status in ENDED or status == "not started":
        message = f"{address} is {status}: there is nothing to cancel"
        raise NothingToDoError(message)
    given = signals.made(CANCEL, None, None, broker.config.limits.max_record)
    _send(broker, address, given)
    _say(address, given, "is told to end", output, status)


@workflows.command("terminate")
def terminate(
    address: Address,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Kept as its error.")
    ] = "",
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """End a workflow at once: its code is told nothing, and nothing is undone.

    Its id stays taken. One that is parked takes no signal: `headgate
    instances reset` ends it, and forgets it.

    [bold]Example[/]

      headgate workflows terminate refund/order-17 --reason 'paid by hand'
    """
    from headgate.sdk.workflow.steps import TERMINATE

    broker = find_broker(config, bootstrap)
    status = _look(broker, address)["status"]
    if status in ENDED or status in {"not started", "parked"}:
        remedy = f"; see `headgate instances reset {address}`" if status == "parked" else ""
        message = f"{address} is {status}: there is nothing to terminate{remedy}"
        raise NothingToDoError(message)
    given = signals.made(TERMINATE, json.dumps(reason), None, broker.config.limits.max_record)
    _send(broker, address, given)
    _say(address, given, "is ended", output, status)


@workflows.command("result")
def result(
    address: Address,
    *,
    wait: Annotated[
        float,
        typer.Option("--wait", metavar="SECONDS", min=0, help="Wait for its end, so long at most."),
    ] = 0.0,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Print what a workflow came to, as JSON.

    [bold]Example[/]

      headgate workflows result refund/order-17 --wait 60
    """
    broker = find_broker(config, bootstrap)
    deadline = time.monotonic() + wait
    while True:
        seen = _look(broker, address)
        status = seen["status"]
        if status in ENDED:
            break
        if time.monotonic() >= deadline:
            message = f"{address} is {status}" + (f" after {wait:g} s" if wait else "")
            raise NotEndedError(message)
        time.sleep(LOOK_SECONDS)
    if "error" in seen:
        message = f"{address} is {status}: {seen['error']}"
        raise NoResultError(message)
    print(json.dumps(seen["result"], indent=2, ensure_ascii=False))


def _look(broker: Broker, address: str) -> dict[str, Any]:
    read_address(address)
    seen = workflow_view(ask(broker, address))
    if seen["status"] == NO_WORKFLOW:
        message = f"{address} is no workflow; see `headgate instances describe {address}`"
        raise NoWorkflowError(message)
    return seen


def _send(broker: Broker, address: str, given: Signal) -> None:
    from headgate.kafka.signals import send_signal

    send_signal(broker.bootstrap, broker.config, address, given)


def _say(address: str, given: Signal, said: str, output: Output, status: str) -> None:
    if output is Output.JSON:
        shown = {"address": address, "signal": given.name, "id": given.signal_id}
        as_json({**shown, "status": status})
    else:
        answers.print(f"{plain(address)} {said}", highlight=False)
