"""`headgate schedules`: messages to agents at times that cron expressions name."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

import typer

from headgate.cli import scheduling
from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.cli.registered import see_attached
from headgate.cli.typed import json_of

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the schedule.", show_default=False)]

schedules = typer.Typer(
    help="Send messages to agents at set times, and see which are to be sent.",
    no_args_is_help=True,
)


@schedules.command("serve")
def serve(
    *,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, metavar="PORT", help="0: any free one.")
    ] = 7074,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="Address to listen on.")
    ] = "127.0.0.1",
) -> None:
    """Serve the agent that keeps the schedules, until Ctrl-C. Attach it as any other.

    [bold]Example[/]

      headgate schedules serve &
      headgate agents attach schedule --endpoint localhost:7074
    """
    from headgate.schedules.agent import make_scheduler
    from headgate.sdk import serve as serve_agent

    serve_agent(make_scheduler(), host=host, port=port)


@schedules.command("create")
def create(
    name: Name,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Who gets it.", show_default=False)
    ],
    event_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="CloudEvents type.", show_default=False)
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="JSON", help="Its data.", show_default=False)
    ] = None,
    *,
    cron: Annotated[
        str, typer.Option("--cron", metavar="EXPR", help="Such as '30 9 * * 1-5'.")
    ] = "",
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Instead: a period, 10m.")
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="Of the expression: Europe/Berlin.")
    ] = "UTC",
    catch_up: Annotated[
        str,
        typer.Option(
            "--catch-up",
            metavar="one|all|none",
            help="Of what was missed, because nothing ran: the last one, all, or none.",
        ),
    ] = "one",
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Make a schedule, or change the one of that name.

    [bold]Examples[/]

      headgate schedules create daily report/all report.due --cron '0 9 * * 1-5' --zone Asia/Tokyo
      headgate schedules create poll feed/1 feed.poll '{"full": false}' --every 10m --catch-up none
    """
    from headgate.config.durations import parse_duration
    from headgate.schedules.agent import SET
    from headgate.v1.turn_pb2 import ScheduleRecord

    read_address(address)
    try:
        period = parse_duration(every) if every else timedelta(0)
    except ValueError as error:
        raise scheduling.ScheduleError(str(error)) from error
    record = ScheduleRecord(
        cron=cron,
        every_ms=period // timedelta(milliseconds=1),
        zone=zone,
        address=address,
        type=event_type,
        data=json.dumps(json_of(data)).encode() if data else b"",
        catch_up=catch_up,
    )
    given = {
        "cron": cron,
        "every_ms": record.every_ms,
        "zone": zone,
        "address": address,
        "type": event_type,
        "data": json_of(data) if data else None,
        "catch_up": catch_up,
    }
    broker = find_broker(config, bootstrap)
    see_attached(broker, address)
    told = scheduling.ask(broker, name, SET, given)
    scheduling.write(broker, name, record)
    _say(name, told, f"is due next at {told['due']}" if told["due"] else "is paused", output)


@schedules.command("list")
def list_schedules(
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List the schedules, as they were asked for.

    [bold]Example[/]

      headgate schedules list -o json
    """
    from headgate.kafka.schedules import schedule_view

    found = scheduling.read(find_broker(config, bootstrap))
    views = [schedule_view(found[name]) for name in sorted(found)]
    if output is Output.JSON:
        as_json(views)
    elif not views:
        answers.print("No schedules: see [bold]headgate schedules create --help[/]")
    else:
        columns = ("name", "when", "zone", "address", "type", "catch_up")
        table(columns, [[plain(str(each[column])) for column in columns] for each in views])


@schedules.command("describe")
def describe(
    name: Name,
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show a schedule: when it is due next, how often it was, how often it was missed.

    [bold]Example[/]

      headgate schedules describe daily
    """
    from headgate.cli.instance_views import ask as look
    from headgate.kafka.reports import report_view
    from headgate.kafka.schedules import schedule_view
    from headgate.schedules.agent import NAME

    broker = find_broker(config, bootstrap)
    record = scheduling.find(broker, name)
    values = report_view(look(broker, f"{NAME}/{name}")).get("values", {})
    kept = {key: values.get(key, 0) for key in ("fired", "missed")}
    shown = schedule_view(record) | {
        "due": values.get("due", ""),
        "paused": values.get("paused", False),
        **kept,
        "last": values.get("last", ""),
    }
    if output is Output.JSON:
        as_json(shown)
    else:
        table((name, ""), [(key, plain(str(each))) for key, each in shown.items()][1:])


def _verb(command: str, said: str, help_text: str) -> None:
    def run(
        name: Name,
        *,
        output: OutputOption = Output.TABLE,
        config: ConfigOption = None,
        bootstrap: BootstrapOption = None,
    ) -> None:
        broker = find_broker(config, bootstrap)
        scheduling.find(broker, name)
        told = scheduling.ask(broker, name, f"headgate.schedule.{command}", None)
        if command == "delete":
            scheduling.write(broker, name, None)
        _say(name, told, said.format(**told), output)

    run.__doc__ = f"{help_text}\n\n[bold]Example[/]\n\n  headgate schedules {command} daily\n"
    schedules.command(command)(run)


_verb("pause", "is paused", "Let a schedule rest.")
_verb("resume", "is due next at {due}", "Let it go on; what was due meanwhile is not made up for.")
_verb("trigger", "has sent its message", "Send its message now, whenever it is due.")
_verb("delete", "is gone", "Take a schedule away.")


def _say(name: str, told: dict[str, Any], said: str, output: Output) -> None:
    if output is Output.JSON:
        as_json({"name": name, **told})
    else:
        answers.print(f"{plain(name)} {said}", highlight=False)
