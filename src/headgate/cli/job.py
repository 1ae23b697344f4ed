"""`headgate job`: what a job leaves behind at Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.checkpoint import CheckpointOption, config_of, find_checkpoint
from headgate.cli.look import Output, answers, as_json
from headgate.errors import ConfigError

if TYPE_CHECKING:
    from headgate.repair.release import Released

job = typer.Typer(help="See to what a job leaves behind at Kafka.", no_args_is_help=True)


@job.callback()
def _root() -> None:
    """Keep the noun while it has one verb only."""


@job.command("release")
def release(
    *,
    checkpoint: CheckpointOption = None,
    for_good: Annotated[
        bool,
        typer.Option("--for-good", help="The job never comes back: abort all, read no checkpoint."),
    ] = False,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one document, for programs.")
    ] = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """End the open transactions of a job that is gone, so that no reader waits for them.

    What the checkpoint has prepared is committed, as restoring it would do;
    all else is aborted, and made again by the restored job. Refused while
    the job still writes. A job that was stopped with a savepoint leaves
    nothing to end.

    [bold]Examples[/]

      headgate job release --checkpoint savepoints/savepoint-4f2a
      headgate job release --for-good
    """
    if for_good and checkpoint is not None:
        message = (
            "--for-good and --checkpoint exclude each other: a job that is restored is not gone"
        )
        raise ConfigError(message)
    settings = config_of(find_broker(config, bootstrap))
    from headgate.repair.release import assert_gone
    from headgate.repair.release import release as run

    assert_gone(settings)
    done = run(settings, None if for_good else find_checkpoint(checkpoint, settings))
    if output is Output.JSON:
        as_json({"committed": list(done.committed), "aborted": list(done.aborted)})
    else:
        _show(done)


def _show(done: Released) -> None:
    if not done.committed and not done.aborted:
        answers.print("no transaction of the job is open")
    for verb, names in (("committed", done.committed), ("aborted", done.aborted)):
        for name in names:
            answers.print(f"{verb} {name}", highlight=False)
