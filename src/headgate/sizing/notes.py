"""What the numbers of a size do not say: what is close to an edge, and what nobody measured."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.sizing import figures
from headgate.sizing.check import Checked
from headgate.sizing.figures import RULES
from headgate.sizing.formula import Size
from headgate.sizing.load import Load

UNMEASURED = (
    "more than one TaskManager at saturation: that throughput grows with their number follows from "
    "their sharing nothing, and was not tried beyond two shared cores",
    "brokers on machines of their own, replication, and disks that are slow",
    "RocksDB's files beside live bytes (compaction needs room for as much again), and state that "
    "does not fit the page cache",
    "what your agents compute",
)

SLOW_DRAIN_SECONDS = 60.0


def verdicts(load: Load, size: Size, checked: Checked) -> list[str]:
    """Return what should be known before this is built, one sentence each."""
    return list(_verdicts(load, size, checked))


def _verdicts(load: Load, size: Size, checked: Checked) -> Iterator[str]:
    if checked.loss.drained is None:
        yield (
            "after the loss of a TaskManager the one with two parts does not catch up within the "
            "simulated time: run one TaskManager more, and restart from a savepoint after a loss"
        )
    if checked.burst.utilisation > RULES.peak:
        yield (
            f"at the burst the busiest TaskManager is busy {checked.burst.utilisation:.0%} of the "
            f"time: its instances are {checked.busiest:.2f} times the mean"
        )
    per_instance = load.turns_per_second / load.instances
    if per_instance * load.call_seconds > 0.5:
        yield (
            f"an instance takes a turn at a time, {per_instance * load.call_seconds:.2f} of its "
            "time here: events wait for their instance and are taken in batches; spread them over "
            "more keys, or make the call shorter"
        )
    if per_instance > figures.HOT_INSTANCE_EVENTS:
        yield (
            f"{per_instance:.0f} events/s for one instance are more than one has been seen to take "
            f"({figures.HOT_INSTANCE_EVENTS:.0f}, in batches of up to 256)"
        )
    if size.partitions < size.parallelism * RULES.growth:
        yield f"kafka.partitions ends at {size.partitions}: there is less room to grow than usual"
    if checked.load.events < 1_000:
        yield "at so low a rate the simulated percentiles stand on few events"
