"""`headgate size`: what a load needs, and a simulation of it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.look import Output, OutputOption, answers, as_json, table
from headgate.errors import ConfigError

if TYPE_CHECKING:
    from headgate.sizing.check import Checked
    from headgate.sizing.formula import Size
    from headgate.sizing.load import Load
    from headgate.sizing.simulation import Simulated


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
        _show(load, found, checked)


def described(load: "Load", found: "Size", checked: "Checked") -> dict[str, Any]:
    """Return the answer, as programs read it: bytes, seconds, cores, MB."""
    import dataclasses

    from headgate.sizing.formula import even_parallelisms
    from headgate.sizing.notes import UNMEASURED, verdicts

    return {
        "load": dataclasses.asdict(load),
        "task_managers": found.task_managers,
        "slots_per_task_manager": 2,
        "parallelism": found.parallelism,
        "partitions": found.partitions,
        "even_parallelisms": even_parallelisms(found.partitions),
        "utilisation": found.utilisation,
        "cores": found.cores._asdict(),
        "memory_mb": found.memory_mb,
        "state_bytes": found.state_bytes,
        "checkpoint_bytes": found.checkpoint_bytes,
        "topics": [each._asdict() for each in found.traffic],
        "calls_in_flight": found.in_flight,
        "calls_in_flight_peak": found.in_flight_peak,
        "endpoints_per_agent": found.endpoints,
        "simulation": dataclasses.asdict(checked),
        "problems": verdicts(load, found, checked),
        "not_measured": list(UNMEASURED),
    }


def _show(load: "Load", found: "Size", checked: "Checked") -> None:
    from headgate.sizing.formula import even_parallelisms
    from headgate.sizing.notes import UNMEASURED, verdicts

    even = ", ".join(str(n) for n in even_parallelisms(found.partitions) if n >= found.parallelism)
    cores = found.cores
    rows: list[tuple[str, str]] = [
        ("TaskManagers", f"{found.task_managers}, of 2 slots each, and a spare machine's worth"),
        ("job.parallelism", f"{found.parallelism}: each at {found.utilisation:.0%} of its turns/s"),
        ("kafka.partitions", f"{found.partitions}, fixed for life; parallelism may become {even}"),
        (
            "cores",
            f"TaskManagers {cores.task_managers:.1f}, workers {cores.workers:.1f}, "
            f"Kafka {cores.kafka:.1f}, agents {cores.agents:.1f} and what they compute",
        ),
        ("memory, MB each", ", ".join(f"{k} {v}" for k, v in found.memory_mb.items())),
        (
            "state in RocksDB",
            f"{_size(found.state_bytes)}; a checkpoint writes at most "
            f"{_size(found.checkpoint_bytes)}",
        ),
        (
            "calls in flight",
            f"{found.in_flight:.0f}, at the burst {found.in_flight_peak} in 99 of 100 moments: "
            "what agents must take at once",
        ),
        ("endpoints of an agent", f"{found.endpoints} at least, by limits.endpoint_concurrency"),
    ]
    table(("", "needed"), rows)
    table(
        ("topic", "written per second", f"disks, {load.replication} replicas"),
        [(t.topic, _size(t.bytes_per_second), _size(t.disk_bytes)) for t in found.traffic],
    )
    table(
        ("simulated, busiest TaskManager", "busy", "wait p50 / p99", "for its instance, p99"),
        [
            _row("this load", checked.load),
            _row(f"{load.burst:g} times this load", checked.burst),
            _row("another one lost", checked.loss),
        ],
    )
    if checked.loss.drained is not None:
        answers.print(f"After a loss all is caught up within {checked.loss.drained:.1f} s.")
    for text in verdicts(load, found, checked):
        answers.print(f"[bold yellow]mind[/]  {text}", highlight=False)
    answers.print("[dim]Not measured: " + "; ".join(UNMEASURED) + ".[/]", highlight=False)


def _row(name: str, of: "Simulated") -> tuple[str, str, str, str]:
    waits = f"{of.wait_p50 * 1_000:.1f} / {of.wait_p99 * 1_000:.1f} ms"
    return (name, f"{of.utilisation:.0%}", waits, f"{of.held_p99 * 1_000:.0f} ms")


def _size(amount: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1_000:
            return f"{amount:.3g} {unit}"
        amount /= 1_000
    return f"{amount:.3g} PB"


def _seconds(option: str, text: str) -> float:
    from headgate.config.durations import parse_duration

    try:
        return parse_duration(text) / timedelta(seconds=1)
    except ValueError as error:
        message = f"{option}: {error}"
        raise ConfigError(message) from error
