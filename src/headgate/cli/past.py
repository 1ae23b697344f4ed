"""Where commands find the history service, and how they read moments."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import DEFAULT_CONFIG

if TYPE_CHECKING:
    from headgate.history.client import HistoryClient

HistoryOption = Annotated[
    str | None,
    typer.Option(
        "--history",
        metavar="HOST:PORT",
        help="The history service. Default: headgate.toml's, else that of the running stack.",
        show_default=False,
    ),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="How long ago (10m), or a time (2026-11-25T10:30:00Z).",
        show_default=False,
    ),
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        min=0,
        max=300,
        help="Wait so long for a time that is not closed yet.",
    ),
]


def open_history(history: str | None, config: Path | None) -> HistoryClient:
    """Return a client of the history service; raises ConfigError."""
    from headgate.history.client import HistoryClient

    return HistoryClient(find_history(history, config))


def find_history(history: str | None, config: Path | None) -> str:
    """Return the endpoint of the history service; raises ConfigError."""
    from headgate.config.agents import is_host_port
    from headgate.errors import ConfigError

    if history:
        if not is_host_port(history):
            message = f"--history {history}: write HOST:PORT, such as localhost:7091"
            raise ConfigError(message)
        return history
    from headgate.config import Config, load
    from headgate.local import state_file

    settings = Config()
    # Only the default name may be missing: a file that was named is expected to be there.
    if config is not None or DEFAULT_CONFIG.is_file():
        settings = load(config or DEFAULT_CONFIG)
    if "endpoint" not in settings.history.model_fields_set:
        state = state_file.read(Path(os.environ.get("HEADGATE_HOME", ".headgate")).resolve())
        if state is not None and state.history:
            return state.history
    return settings.history.endpoint


def moment_of(text: str | None) -> int:
    """Return microseconds since the epoch, 0 for no time; raises MomentError."""
    from headgate.history.times import read_moment

    return read_moment(text, time.time_ns() // 1_000) if text else 0
