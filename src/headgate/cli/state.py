"""`headgate state`: what instances knew at any moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.broker import ConfigOption
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.cli.past import AsOfOption, HistoryOption, WaitOption, moment_of, open_history
from headgate.cli.stream import quiet_end, say_json
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.v1.history_pb2 import StateAsOf

state = typer.Typer(help="Ask what instances knew at any moment.", no_args_is_help=True)

Address = Annotated[
    str,
    typer.Argument(metavar="ADDRESS", help="Agent type and key, order/17.", show_default=False),
]
TypeOption = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="Only this agent type.", show_default=False)
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="NAME=VALUE",
        help="Only where a value is so: customer.city=Rome. May be repeated.",
        show_default=False,
    ),
]
ShownOption = Annotated[
    str,
    typer.Option(
        "--only",
        metavar="NAME,...",
        help="Only these values, and no lists.",
        show_default=False,
    ),
]


class WhenError(HeadgateError):
    """A command is told two moments, or a place to write to that is not there.

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
        (plain(name), _short(value), f"#{seen['changed'][name]}")
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
        (plain(each["name"]), each["change"], _short(each.get("from")), _short(each.get("to")),
         f"#{each['turn']}" if "turn" in each else "")
        for each in seen
    ]  # fmt: skip
    table(("name", "", "from", "to", "by turn"), rows)


@state.command("snapshot")
def snapshot(
    *,
    as_of: AsOfOption = None,
    agent_type: TypeOption = "",
    where: WhereOption = None,
    only: ShownOption = "",
    wait: WaitOption = 0.0,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one document per line.")
    ] = Output.TABLE,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    """Show all instances at one moment: a cut that is consistent and never changes.

    No message is seen taken in it that is not seen sent. A moment that
    is not closed yet is refused: --wait waits for it. Without --as-of,
    the newest closed moment is taken, a second or two ago.

    [bold]Examples[/]

      headgate state snapshot --as-of 10m --type order --where status=open
      headgate state snapshot -o json | jq .address
    """
    from headgate.core.render import rfc3339
    from headgate.history.views import state_view

    with quiet_end(), open_history(history, config) as asked:
        # Told to people: the newest closed moment has to have a name.
        at_us = moment_of(as_of) or asked.position().closed_us
        found = asked.snapshot(
            at_us=at_us,
            agent_type=agent_type,
            where=_conditions(where),
            only=_names(only),
            wait_seconds=wait,
        )
        if output is Output.JSON:
            for each in found:
                say_json(state_view(each))
            return
        rows = [
            (plain(seen["address"]), f"#{seen['turn']}", _short(seen.get("values", {})),
             _short({name: len(items) for name, items in seen.get("lists", {}).items()}))
            for seen in map(state_view, found)
        ]  # fmt: skip
    of_type = f" of {agent_type}" if agent_type else ""
    answers.print(f"{len(rows):,} instances{of_type} as of {rfc3339(at_us)}", highlight=False)
    if rows:
        table(("address", "turn", "values", "items"), rows)


@state.command("export")
def export(
    *,
    file: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="Parquet.", show_default=False)
    ],
    as_of: AsOfOption = None,
    agent_type: TypeOption = "",
    where: WhereOption = None,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    """Write all instances at one moment into a Parquet file.

    One row per instance: address, agent_type, key, turn, and values and
    lists as JSON by name. The moment is in the file's metadata.

    [bold]Example[/]

      headgate state export --as-of 2026-11-25T00:00:00Z --file midnight.parquet
    """
    from headgate.core.render import rfc3339
    from headgate.history.parquet import write_parquet

    if not file.absolute().parent.is_dir():
        message = f"{file.absolute().parent} is no folder: --file {file} cannot be written"
        raise WhenError(message)
    at_us = moment_of(as_of)
    with open_history(history, config) as asked:
        # Told in the file: the newest closed moment has to have a name before it is asked for.
        at_us = at_us or asked.position().closed_us
        found: Iterator[StateAsOf] = asked.snapshot(
            at_us=at_us, agent_type=agent_type, where=_conditions(where), wait_seconds=wait
        )
        count = write_parquet(file, found, at_us)
    answers.print(
        f"{count:,} instances as of {rfc3339(at_us)} in {plain(str(file))}", highlight=False
    )


def _when(text: str) -> dict[str, int]:
    if text.startswith("#") and text[1:].isdecimal():
        return {"turn": int(text[1:])}
    if text.isdecimal():
        message = f"{text}: write '#{text}' for a turn, {text}m for minutes ago"
        raise WhenError(message)
    return {"at_us": moment_of(text)}


def _conditions(given: list[str] | None) -> dict[str, Any]:
    from headgate.history.conditions import read_where

    return {path: json.loads(equals) for path, equals in map(read_where, given or ())}


def _names(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _short(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain(text if len(text) <= 200 else f"{text[:200]}…")


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
