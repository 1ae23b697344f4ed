"""`headgate size`: what a load needs, and a simulation of it."""

from datetime import timedelta
from typing import Annotated

import typer

from headgate.cli.look import Output, OutputOption, as_json
from headgate.errors import ConfigError


def size(
    *,
    turns_per_second: Annotated[
        float, typer.Option("--turns-per-second", min=0.01, help="Of all agents together.")
    ],
    call_ms: Annotated[float, typer.Option("--call-ms", min=0, help="A call takes, mean.")] = 1_000,
    state_kb: Annotated[
        float, typer.Option("--state-kb", min=0, help="State of an instance, thousands of bytes.")
    ] = 4,
    event_bytes: Annotated[
        int, typer.Option("--event-bytes", min=1, max=1_000_000, help="Data of an event.")
    ] = 1_000,
    output_bytes: Annotated[
        int | None,
        typer.Option(
            "--output-bytes",
            min=1,
            help="Put out by a turn. Default: as an event.",
            show_default=False,
        ),
    ] = None,
    changed_bytes: Annotated[
        int | None,
        typer.Option(
            "--changed-bytes",
            min=1,
            help="Of state, written by a turn. Default: as an event.",
            show_default=False,
        ),
    ] = None,
    instances: Annotated[int, typer.Option("--instances", min=1, help="That have state.")] = 10_000,
    burst: Annotated[
        float, typer.Option("--burst", min=1, help="The highest load over the usual one.")
    ] = 2.0,
    retention: Annotated[
        str, typer.Option("--retention", help="Of events, journal and outbox.")
    ] = "7d",
    history: Annotated[str, typer.Option("--history", help="Retention of the history.")] = "30d",
    replication: Annotated[int, typer.Option("--replication", min=1, help="Of topics.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Of the simulation.")] = 0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what a load needs: TaskManagers, partitions, CPU, memory, state, Kafka, agents.

    A formula over figures that were measured (docs/scaling.md names each),
    and bytes that are counted by playing turns in memory. A simulation of
    the busiest TaskManager then checks the answer: at this load, at the
    burst, and after another one was lost. Nothing is asked or started.

    [bold]Examples[/]

      headgate size --turns-per-second 500
      headgate size --turns-per-second 5000 --call-ms 8000 --state-kb 40 --instances 1000000 -o json
    """
    from headgate.cli.size_views import described, show
    from headgate.sizing.check import check
    from headgate.sizing.formula import size_of
    from headgate.sizing.load import Load
    from headgate.sizing.records import weigh

    load = Load(
        turns_per_second=turns_per_second,
        call_seconds=call_ms / 1_000,
        state_bytes=round(state_kb * 1_000),
        event_bytes=event_bytes,
        output_bytes=output_bytes or event_bytes,
        changed_bytes=changed_bytes or event_bytes,
        instances=instances,
        burst=burst,
        retention_seconds=_seconds("--retention", retention),
        history_seconds=_seconds("--history", history),
        replication=replication,
    )
    found = size_of(load, weigh(load))
    checked = check(load, found, seed=seed)
    if output is Output.JSON:
        as_json(described(load, found, checked))
    else:
        show(load, found, checked)


def _seconds(option: str, text: str) -> float:
    from headgate.config.durations import parse_duration

    try:
        return parse_duration(text) / timedelta(seconds=1)
    except ValueError as error:
        message = f"{option}: {error}"
        raise ConfigError(message) from error
