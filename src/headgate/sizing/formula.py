"""From a load to what it needs. Pure: figures, weights and load in, numbers out.

Every line says what it stands on: `measured` figures, `counted` bytes, or a `rule` of ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from headgate.sizing import figures
from headgate.sizing.figures import RULES, Cores, cores_at
from headgate.sizing.load import Load
from headgate.sizing.records import Weights

# 99 of 100 moments have fewer calls in flight: a Poisson count that is large is nearly normal.
Z_99 = 2.33
# kafka.partitions is at most this.
PARTITIONS_AT_MOST = 10_000


class Traffic(NamedTuple):
    """What a topic takes: bytes/s written once, and bytes on all disks at its retention."""

    topic: str
    bytes_per_second: float
    disk_bytes: float


@dataclass(frozen=True, slots=True)
class Size:
    """What a load needs."""

    parallelism: int
    partitions: int
    utilisation: float
    cores: Cores
    memory_mb: dict[str, int]
    state_bytes: float
    checkpoint_bytes: float
    traffic: tuple[Traffic, ...]
    in_flight: float
    in_flight_peak: int
    endpoints: int

    @property
    def task_managers(self) -> int:
        """One part of the job each."""
        return self.parallelism


def size_of(load: Load, weights: Weights) -> Size:
    """Return what a load needs; a burst is part of it, the loss of a TaskManager too."""
    parallelism = parallelism_of(load)
    partitions = partitions_of(parallelism)
    # Brokers too: what gathers into a batch is what one TaskManager writes.
    cores = cores_at(load.turns_per_second / parallelism).times(parallelism)
    in_flight = load.turns_per_second * load.call_seconds
    at_burst = in_flight * load.burst
    peak = math.ceil(at_burst + Z_99 * math.sqrt(at_burst))
    per_instance = weights.stored + weights.stored_per_event * (load.remembered - 1)
    changed = weights.stored_per_event + load.changed_bytes
    worker_mb = figures.WORKER_MB + peak / parallelism * weights.request / 1e6
    return Size(
        parallelism=parallelism,
        partitions=partitions,
        utilisation=load.turns_per_second / parallelism / figures.TASK_MANAGER_TURNS,
        cores=cores._replace(
            workers=cores.workers + in_flight / figures.IN_FLIGHT * figures.IN_FLIGHT_CORES
        ),
        memory_mb={
            "JobManager": figures.JOB_MANAGER_MB,
            "TaskManager": figures.TASK_MANAGER_MB,
            "worker": math.ceil(worker_mb),
            "Kafka": figures.KAFKA_MB,
        },
        state_bytes=per_instance * load.instances,
        # A checkpoint uploads what changed since the last: each turn's writes, none of them twice.
        checkpoint_bytes=min(
            changed * load.turns_per_second * load.checkpoint_seconds,
            per_instance * load.instances,
        ),
        traffic=tuple(_traffic(load, weights, partitions)),
        in_flight=in_flight,
        in_flight_peak=peak,
        # limits.endpoint_concurrency counts in each subtask.
        endpoints=max(1, math.ceil(peak / parallelism / load.endpoint_concurrency)),
    )


def parallelism_of(load: Load) -> int:
    """Return how many TaskManagers, of one part of the job each, hold load and burst."""
    normal = load.turns_per_second / (figures.TASK_MANAGER_TURNS * RULES.normal)
    burst = load.turns_per_second * load.burst / (figures.TASK_MANAGER_TURNS * RULES.peak)
    return max(RULES.least_task_managers, math.ceil(max(normal, burst)))


def partitions_of(parallelism: int) -> int:
    """Return kafka.partitions: a multiple of the parallelism, so that no part has more than others,
    with room to double the parallelism twice.

    >>> [partitions_of(parallelism) for parallelism in (1, 2, 3, 5)]
    [4, 8, 12, 20]
    """
    wanted = max(RULES.least_partitions, parallelism * RULES.growth)
    return min(wanted, max(parallelism, PARTITIONS_AT_MOST // parallelism * parallelism))


def even_parallelisms(partitions: int) -> list[int]:
    """Return the parallelisms at which every part has as many partitions as the others.

    >>> even_parallelisms(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [each for each in range(1, partitions + 1) if partitions % each == 0]


def _traffic(load: Load, weights: Weights, partitions: int) -> list[Traffic]:
    """One turn an event: batches make fewer records, not more bytes."""
    rate = load.turns_per_second
    written = (
        ("events", rate * weights.event, load.retention_seconds),
        ("journal", rate * weights.journal + partitions * weights.tick, load.retention_seconds),
        ("outbox", rate * weights.outbox, load.retention_seconds),
        ("history", rate * weights.history + partitions * weights.closed, load.history_seconds),
    )
    return [Traffic(topic, b, b * kept * load.replication) for topic, b, kept in written]
