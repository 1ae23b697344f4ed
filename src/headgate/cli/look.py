"""How the command line looks: one console for answers, one for problems, plain tables."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

PIPE_COLUMNS = 10_000
"""Who reads a pipe by line wants each row on one, however long."""

answers = Console(soft_wrap=True)
problems = Console(stderr=True, soft_wrap=True)


class Output(StrEnum):
    """What `-o` offers."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="json: one document, for programs.")
]


def plain(text: str) -> str:
    r"""Return text of other people's for a table: it steers no terminal, and is no markup.

    >>> plain("[red]a\x1b")
    '\\[red]a\\x1b'
    """
    from rich.markup import escape

    from headgate.cli.stream import printable

    return escape(printable(text))


def short(value: Any) -> str:
    """Return a value for a table: text as it is, else JSON, cut where it is long."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain(text if len(text) <= 200 else f"{text[:200]}…")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below headings: folded to the width, never cut; in a pipe each on a line."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*("" if cell is None else str(cell) for cell in row))
    wide = Console(file=answers.file, width=PIPE_COLUMNS, soft_wrap=True)
    (answers if answers.is_terminal else wide).print(shown)


def as_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document, free of colour and wrapping, for programs to read."""
    print(json.dumps(value, indent=2, default=str))
