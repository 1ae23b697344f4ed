"""`headgate repair`: outputs that a long outage has lost, written again from the journal."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.checkpoint import CheckpointOption, config_of, find_checkpoint
from headgate.cli.look import Output, answers, as_json, table
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.repair.gaps import Survey

SHOWN = 20


def repair(
    *,
    checkpoint: CheckpointOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DURATION",
            help="Look at turns of the last DURATION only, such as 2h. Default: all that the "
            "journal holds.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing, and write nothing.")
    ] = False,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one document, for programs.")
    ] = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Write outputs again that turns made and no reader can see.

    If the job was away for longer than job.transaction_timeout, Kafka has
    aborted what the last checkpoint had prepared. The journal has the
    turns; their records in outbox, history and dead letters are made again
    from it, byte for byte, up to where the checkpoint goes on reading, and
    written in one transaction. What is there already is not written again,
    so a second run does nothing.

    Before a restore, or beside the running job with a savepoint of its own.

    [bold]Examples[/]

      headgate repair --dry-run
      headgate repair --checkpoint s3://flink/checkpoints/4f2a/chk-1200
    """
    settings = config_of(find_broker(config, bootstrap))
    covered = find_checkpoint(checkpoint, settings)
    from headgate.repair.run import repair as run

    since_ms = 0 if since is None else time.time_ns() // 1_000_000 - _ms(since)
    found = run(settings, covered, since_ms=since_ms, is_dry=dry_run)
    if output is Output.JSON:
        as_json(described(found, covered.path, is_dry=dry_run))
    else:
        _show(found, is_dry=dry_run)


def described(found: Survey, path: str, *, is_dry: bool) -> dict[str, Any]:
    """Return what was found, as programs read it."""
    return {
        "checkpoint": path,
        "turns": found.turns,
        "missing": [{"topic": gap.topic, "id": gap.id} for gap in found.gaps],
        "written": 0 if is_dry else len(found.gaps),
        "uncertain": found.uncertain,
    }


def _show(found: Survey, *, is_dry: bool) -> None:
    missing = Counter(gap.topic for gap in found.gaps)
    if missing:
        table(("topic", "missing"), sorted(missing.items()))
        for gap in found.gaps[:SHOWN]:
            answers.print(f"  {gap.topic}  {gap.id}", highlight=False)
        if len(found.gaps) > SHOWN:
            answers.print(f"  and {len(found.gaps) - SHOWN} more; -o json has them all")
    done = "nothing was written" if is_dry or not found.gaps else f"{len(found.gaps)} written"
    answers.print(f"{found.turns} turns looked at, {len(found.gaps)} records missing, {done}")
    if found.uncertain:
        answers.print(
            f"{len(found.uncertain)} outcomes of instances whose history is gone cannot be judged"
        )


def _ms(text: str) -> int:
    from headgate.config.durations import parse_duration

    try:
        return int(parse_duration(text) / timedelta(milliseconds=1))
    except ValueError as error:
        message = f"--since: {error}"
        raise HeadgateError(message) from error
