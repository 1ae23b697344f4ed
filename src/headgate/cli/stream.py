"""Standard output as a stream of lines: JSON or aligned columns, and quiet endings."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import typer
from rich.cells import cell_len, set_cell_size

# What a shell reports of a program that Ctrl-C ended; loops in scripts look at it.
INTERRUPTED = 130
# One long key must not push every later line off the screen.
WIDEST_COLUMN = 40


class Cell(NamedTuple):
    """A piece of a line and its colour (one of click's names, or "dim", or "")."""

    text: str
    colour: str = ""


class Lines:
    """Writes lines whose columns are as wide as the widest cell so far."""

    def __init__(self, *, is_terminal: bool | None = None, width: int | None = None) -> None:
        """Look at standard output, unless told what it is."""
        found = sys.stdout.isatty() if is_terminal is None else is_terminal
        self._is_coloured = found and "NO_COLOR" not in os.environ
        self._width = (width or shutil.get_terminal_size().columns) if found else None
        self._widths: list[int] = []

    def render(self, cells: Sequence[Cell]) -> str:
        """Return a line; on a terminal it is coloured and cut at the edge."""
        texts = [printable(cell.text) for cell in cells]
        for index, text in enumerate(texts[:-1]):
            if index == len(self._widths):
                self._widths.append(0)
            self._widths[index] = min(WIDEST_COLUMN, max(self._widths[index], cell_len(text)))
            texts[index] = text + " " * (self._widths[index] - cell_len(text))
        used, shown = 0, []
        for cell, text in zip(cells, texts, strict=True):
            room = None if self._width is None else max(0, self._width - used)
            fitted = text if room is None or cell_len(text) <= room else _cut(text, room)
            used += cell_len(text) + 2
            shown.append(_coloured(fitted, cell.colour) if self._is_coloured else fitted)
        return "  ".join(shown).rstrip()


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say_json(value: Mapping[str, Any]) -> None:
    """Write one JSON document as a line."""
    say(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


@contextmanager
def quiet_end() -> Iterator[None]:
    """End without a traceback when the reader of a pipe is gone or Ctrl-C is typed."""
    # Records may hold what the terminal's encoding lacks; a lone surrogate stays valid JSON so.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Python flushes at exit and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def printable(text: str) -> str:
    r"""Return text that cannot steer a terminal.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )


def _cut(text: str, room: int) -> str:
    return set_cell_size(text, room - 1) + "…" if room > 1 else ""


def _coloured(text: str, colour: str) -> str:
    if not colour or not text:
        return text
    return typer.style(text, dim=True) if colour == "dim" else typer.style(text, fg=colour)
