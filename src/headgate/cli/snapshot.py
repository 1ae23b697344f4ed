"""`headgate state snapshot` and `export`: what all instances knew at one moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.broker import ConfigOption
from headgate.cli.look import Output, answers, plain, short, table
from headgate.cli.past import AsOfOption, HistoryOption, WaitOption, moment_of, open_history
from headgate.cli.stream import quiet_end, say_json
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.v1.history_pb2 import StateAsOf

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


class NoPlaceError(HeadgateError):
    """A file that is to be written has no folder, or its name is that of one.

    Operator action: make the folder, or name another.
    """


def check_place(file: Path) -> None:
    """Raise NoPlaceError where a file of that name cannot be written."""
    if not file.absolute().parent.is_dir():
        message = f"{file.absolute().parent} is no folder: --file {file} cannot be written"
        raise NoPlaceError(message)
    if file.is_dir() or str(file) == "-":
        message = f"--file {file} names no file: write its name, with its folder"
        raise NoPlaceError(message)


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
            (plain(seen["address"]), f"#{seen['turn']}", short(seen.get("values", {})),
             short({name: len(items) for name, items in seen.get("lists", {}).items()}))
            for seen in map(state_view, found)
        ]  # fmt: skip
    of_type = f" of {agent_type}" if agent_type else ""
    answers.print(f"{len(rows):,} instances{of_type} as of {rfc3339(at_us)}", highlight=False)
    if rows:
        table(("address", "turn", "values", "items"), rows)


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

    check_place(file)
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


def _conditions(given: list[str] | None) -> dict[str, Any]:
    from headgate.history.conditions import read_where

    return {path: json.loads(equals) for path, equals in map(read_where, given or ())}


def _names(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())
