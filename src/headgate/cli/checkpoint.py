"""Which checkpoint a command is about: the one that was named, else the embedded stack's newest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import Broker
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.config import Config
    from headgate.repair.checkpoint import Checkpoint

CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="PATH",
        help="Checkpoint or savepoint that is, or was, restored. Default: the newest of the stack "
        "here.",
        show_default=False,
    ),
]


class NoCheckpointError(HeadgateError):
    """Nothing says which checkpoint is meant.

    Operator action: give --checkpoint PATH, the one that the job is restored from.
    """


def config_of(broker: Broker) -> Config:
    """Return the configuration with the address that was found."""
    kafka = broker.config.kafka.at(broker.bootstrap)
    return broker.config.model_copy(update={"kafka": kafka})


def find_checkpoint(path: str | None, config: Config) -> Checkpoint:
    """Read the checkpoint; raises NoCheckpointError and CheckpointUnreadableError."""
    home = Path(os.environ.get("HEADGATE_HOME", ".headgate")).resolve()
    if path is None:
        from headgate.local.saved import newest_checkpoint

        path = newest_checkpoint(home, config.topic_names.journal)
    if path is None:
        message = (
            f"which checkpoint? There is none below {home}. Give --checkpoint PATH: the one that "
            "the job is restored from."
        )
        raise NoCheckpointError(message)
    # It starts a JVM: Flink's own code reads what Flink has written.
    from headgate.flink.checkpoints import read_checkpoint

    return read_checkpoint(path)
