"""Where a command finds Kafka: what was named, else headgate.toml, else the embedded stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from headgate import logs
from headgate.bootstrap import Bootstrap
from headgate.config import Config, load
from headgate.errors import HeadgateError
from headgate.sealing.known import know

DEFAULT_CONFIG = Path("headgate.toml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Take address, topics and formats from this file. Default: ./headgate.toml if there.",
        show_default=False,
    ),
]
BootstrapOption = Annotated[
    str | None,
    typer.Option(
        "--bootstrap",
        metavar="HOST:PORT",
        help="Kafka's address. Default: headgate.toml's, else that of the stack that runs here.",
        show_default=False,
    ),
]


class NoBrokerError(HeadgateError):
    """Nothing says where Kafka is.

    Operator action: start a stack with `headgate dev`, write a headgate.toml, or give --bootstrap.
    """


@dataclass(frozen=True, slots=True)
class Broker:
    """The way to Kafka, and the configuration (the defaults, where there is no file)."""

    bootstrap: Bootstrap
    config: Config


def log_as(config: Config) -> None:
    """Log as a configuration says, unless whoever started this said otherwise."""
    if logs.VARIABLE not in os.environ:
        logs.configure(config.logging.format)


def find_broker(config: Path | None, bootstrap: str | None) -> Broker:
    """Return the broker to talk to; its topics are read and written as sealed as they are.

    Raises:
        NoBrokerError, ConfigError, KeysError.
    """
    settings: Config | None = None
    # Only the default name may be missing: a file that was named is expected to be there.
    if config is not None or DEFAULT_CONFIG.is_file():
        settings = load(config or DEFAULT_CONFIG)
        log_as(settings)
    if settings is not None:
        know(bootstrap or settings.kafka.bootstrap, settings)
    if bootstrap:
        settings = settings or Config()
        # What the file says of TLS and SASL holds wherever the broker is.
        return Broker(Bootstrap(bootstrap, settings.kafka.security), settings)
    if settings is not None:
        return Broker(settings.kafka.bootstrap, settings)
    home = Path(os.environ.get("HEADGATE_HOME", ".headgate"))
    from headgate.local import state_file

    state = state_file.read(home.resolve())
    if state is not None and state.kafka_bootstrap:
        return Broker(Bootstrap(state.kafka_bootstrap), Config())
    message = (
        f"where is Kafka? There is no {DEFAULT_CONFIG} here and no stack runs in {home}. Start one "
        "with `headgate dev`, or give --config FILE or --bootstrap HOST:PORT."
    )
    raise NoBrokerError(message)
