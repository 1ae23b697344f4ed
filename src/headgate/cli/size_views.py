"""How a size is shown: to people as tables, to programs as one document."""

from __future__ import annotations

import dataclasses
from typing import Any

from headgate.cli.look import answers, table
from headgate.sizing import figures
from headgate.sizing.check import Checked
from headgate.sizing.formula import Size, even_parallelisms
from headgate.sizing.load import Load
from headgate.sizing.notes import UNMEASURED, verdicts
from headgate.sizing.simulation import Simulated


def described(load: Load, found: Size, checked: Checked) -> dict[str, Any]:
    """Return the answer, as programs read it: bytes, seconds, cores, MB."""

    return {
        "load": dataclasses.asdict(load),
        "task_managers": found.task_managers,
        "slots_per_task_manager": 2,
        "parallelism": found.parallelism,
        "partitions": found.partitions,
        "even_parallelisms": even_parallelisms(found.partitions),
        "utilisation": found.utilisation,
        "outage_seconds": figures.OUTAGE_ONE_OF_TWO_SECONDS,
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


def show(load: Load, found: Size, checked: Checked) -> None:

    even = ", ".join(str(n) for n in even_parallelisms(found.partitions) if n >= found.parallelism)
    cores = found.cores
    rows: list[tuple[str, str]] = [
        (
            "TaskManagers",
            f"{found.task_managers}, of 2 slots each: the second takes over when another is lost",
        ),
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
        answers.print(
            f"After a loss nothing happens for {figures.OUTAGE_ONE_OF_TWO_SECONDS} s, as measured; "
            f"all is caught up within {checked.loss.drained:.1f} s. With one TaskManager alone "
            f"nothing would happen for {figures.OUTAGE_ONLY_ONE_SECONDS} s."
        )
    for text in verdicts(load, found, checked):
        answers.print(f"[bold yellow]mind[/]  {text}", highlight=False)
    answers.print("[dim]Not measured: " + "; ".join(UNMEASURED) + ".[/]", highlight=False)


def _row(name: str, of: Simulated) -> tuple[str, str, str, str]:
    waits = f"{of.wait_p50 * 1_000:.1f} / {of.wait_p99 * 1_000:.1f} ms"
    return (name, f"{of.utilisation:.0%}", waits, f"{of.held_p99 * 1_000:.0f} ms")


def _size(amount: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1_000:
            return f"{amount:.3g} {unit}"
        amount /= 1_000
    return f"{amount:.3g} PB"
