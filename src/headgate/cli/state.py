"""`headgate state`: what instances knew at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli import snapshot as snapshots
from headgate.cli.broker import ConfigOption
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, short, table
from headgate.cli.past import AsOfOption, HistoryOption, WaitOption, moment_of, open_history
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    pass

state = typer.Typer(help="Ask what instances knew at any moment.", no_args_is_help=True)

Address = Annotated[
    str,
    typer.Argument(metavar="ADDRESS", help="Agent type and key, order/17.", show_default=False),
]


class WhenError(HeadgateError):
    """A command is told two moments, or something that is no moment.

    Operator action: the message says what to give.
    """


@state.command("get")
def get(
    address: Address,
    *,
    as_of: AsOfOption = None,
    turn: Annotated[
        int | None,
        typer.Option("--turn", min=1, metavar="N", help="After this turn.", show_default=False),
    ] = None,
    valid_at: Annotated[
        str | None,
        typer.Option(
            "--valid-at",
            metavar="TIME",
            help="How it stood then, by the times that events themselves name.",
            show_default=False,
        ),
    ] = None,
    wait: WaitOption = 0.0,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    """Show an instance's state: now, at a moment, or after a turn.

    --as-of asks what was known then. --valid-at asks how it stood then
    as far as is known (--as-of: as far as was known): what came late or
    corrected something earlier is put where it belongs.

    [bold]Examples[/]

      headgate state get order/17 --as-of 10m
      headgate state get order/17 --turn 3 -o json
      headgate state get order/17 --valid-at 2026-11-01T00:00:00Z
    """
    from headgate.core.render import rfc3339
    from headgate.history.views import state_view

    read_address(address)
    if turn is not None and as_of is not None:
        message = "--turn and --as-of: give one of them"
        raise WhenError(message)
    with open_history(history, config) as asked:
        found = asked.state(
            address,
            at_us=moment_of(as_of),
            turn=turn or 0,
            valid_us=moment_of(valid_at),
            wait_seconds=wait,
        )
    seen = state_view(found)
    if valid_at is not None:
        seen["valid_at"] = rfc3339(moment_of(valid_at))
    if output is Output.JSON:
        as_json(seen)
        return
    if seen.get("incomplete"):
        answers.print("[yellow]Turns before the first one that is kept are missing here.[/]")
    if valid_at is not None:
        answers.print(
            f"{plain(address)} as was true at {rfc3339(moment_of(valid_at))}, as far as turn "
            f"{seen['turn']} tells",
            highlight=False,
        )
    elif not seen["turn"]:
        answers.print(f"{plain(address)} had taken no turn then", highlight=False)
        return
    else:
        at = f" at {seen['at']}" if "at" in seen else ""
        answers.print(f"{plain(address)} after turn {seen['turn']}{at}", highlight=False)
    rows = [
        (plain(name), short(value), f"#{seen['changed'][name]}")
        for part in ("values", "lists")
        for name, value in seen.get(part, {}).items()
    ]
    table(("name", "value", "since turn"), rows)


@state.command("history")
def turns(
    address: Address,
    *,
    last: Annotated[
        int, typer.Option("-n", "--last", min=0, metavar="N", help="The newest; 0: all.")
    ] = 20,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    """Show an instance's turns: what made each, and what it changed.

    [bold]Example[/]

      headgate state history order/17
    """
    from headgate.history.views import turn_view

    read_address(address)
    with open_history(history, config) as asked:
        seen = [turn_view(each) for each in asked.turns(address, newest=last)]
    if output is Output.JSON:
        as_json(seen)
        return
    rows = [
        (f"#{each['turn']}", each["at"], _verdict(each), _causes(each), _changes(each))
        for each in seen
    ]
    table(("turn", "at", "came to", "events", "changed"), rows)


@state.command("diff")
def diff(
    address: Address,
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME|#TURN", help="The earlier.", show_default=False)
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="TIME|#TURN", help="The later. Default: now.")
    ] = "",
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    """Show what changed of an instance between two moments or turns.

    [bold]Examples[/]

      headgate state diff order/17 --from 1h
      headgate state diff order/17 --from '#3' --to '#5'
    """
    from headgate.history.changes import changes_between

    read_address(address)
    with open_history(history, config) as asked:
        before, after = (asked.state(address, **_when(text)) for text in (start, end))
    seen = changes_between(before, after)
    if output is Output.JSON:
        as_json({"address": address, "from": before.turn, "to": after.turn, "changes": seen})
        return
    answers.print(f"{plain(address)} from turn {before.turn} to turn {after.turn}", highlight=False)
    rows = [
        (plain(each["name"]), each["change"], short(each.get("from")), short(each.get("to")),
         f"#{each['turn']}" if "turn" in each else "")
        for each in seen
    ]  # fmt: skip
    table(("name", "", "from", "to", "by turn"), rows)


state.command("snapshot")(snapshots.snapshot)
state.command("export")(snapshots.export)


def _when(text: str) -> dict[str, int]:
    if text.startswith("#") and text[1:].isdecimal():
        return {"turn": int(text[1:])}
    if text.isdecimal():
        message = f"{text}: write '#{text}' for a turn, {text}m for minutes ago"
        raise WhenError(message)
    return {"at_us": moment_of(text)}


def _verdict(seen: dict[str, Any]) -> str:
    if failure := seen.get("failure"):
        return plain(f"failed {failure['code']}: {failure['message']}"[:200])
    if control := seen.get("control"):
        return plain(control["verb"])
    return str(seen["verdict"])


def _causes(seen: dict[str, Any]) -> str:
    return plain(", ".join(each["id"] or "(no id)" for each in seen["events"]))


def _changes(seen: dict[str, Any]) -> str:
    return plain(", ".join(sorted({each["name"] for each in seen.get("mutations", ())})))
