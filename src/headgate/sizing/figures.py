"""The figures that sizes are computed from, each with the row of docs/benchmarks.md it stands in.

Nothing here is a guess: a figure without a row is a rule of ours, and says so (`RULES`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple


class Step(NamedTuple):
    """A row of the ladder: turns/s through one TaskManager, and CPU milliseconds per turn."""

    turns_per_second: float
    kafka_ms: float
    task_manager_ms: float
    worker_ms: float
    agent_ms: float


LADDER = (
    Step(200, 1.03, 3.03, 2.27, 0.55),
    Step(501, 0.70, 1.46, 0.93, 0.27),
    Step(1_018, 0.38, 0.72, 0.20, 0.09),
    Step(2_007, 0.19, 0.45, 0.16, 0.08),
    Step(3_305, 0.05, 0.29, 0.12, 0.07),
)
"""`python -m benchmarks ladder`: 200/s and 500/s low-latency, the others balanced; the last one is
the backlog of 60,000. All of it with one TaskManager, on two cores that everything shared."""

TASK_MANAGER_TURNS = 3_012.0
"""Turns/s of one TaskManager at saturation: the lowest of the runs on record ("Against Restate",
turns/s at saturation, Headgate, first run). 3,118, 3,261 and 3,305 are the others."""

HOT_INSTANCE_EVENTS = 3_779.0
"""Events/s of one instance with batches of up to 256 (`hot-key`, backlog of 30,000)."""

OUTAGE_ONE_OF_TWO_SECONDS = 3.6
OUTAGE_ONLY_ONE_SECONDS = 10.6
"""Longest gap between two outcomes after `kill -9` ("Outages at 250 events/s": one of two
TaskManagers; the only TaskManager)."""

IN_FLIGHT = 1_000
IN_FLIGHT_CORES = 0.011
"""`in-flight`, 1,000 calls of 30 s: the worker's cores."""

WORKER_MB = 164
KAFKA_MB = 490
"""`sleepers`, 100,000 asleep, resident. What the JVMs of Flink use is bounded by their settings."""

BEFORE_CALL_US = 175 + 30 + 190
AFTER_CALL_US = 65
"""Where the TaskManager's time goes at saturation (last paragraph of docs/benchmarks.md): an event
140 to 200 us, wake-ups 30, intake and its source 190; an outcome 65. Only their ratio is used."""

TASK_MANAGER_MB = 2_048
JOB_MANAGER_MB = 1_024
"""flink-conf/config.yaml: `taskmanager.memory.process.size`, `jobmanager.memory.process.size`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is ours to choose, not measured.

    normal: the share of a TaskManager's turns/s that the load may take; below a half, so that one
        TaskManager can run two parts after another was lost. peak: the same at the burst. growth:
        how often the load may double before partitions, fixed for life, are too few.
    """

    normal: float = 0.45
    peak: float = 0.8
    growth: int = 4
    least_task_managers: int = 2
    least_partitions: int = 4


RULES = Rules()


class Cores(NamedTuple):
    """Cores that are busy, of each kind of process."""

    kafka: float
    task_managers: float
    workers: float
    agents: float

    def times(self, factor: float) -> Cores:
        """Return so many times as much."""
        return Cores(*(each * factor for each in self))


def cores_at(turns_per_second: float) -> Cores:
    """Return the cores that one TaskManager's load takes: between the ladder's rows by
    interpolation, beyond the last one at its cost per turn.

    >>> round(cores_at(501).task_managers, 2)
    0.73
    """
    rows = [(s.turns_per_second, Cores(*s[1:]).times(s.turns_per_second / 1_000)) for s in LADDER]
    first, last = rows[0], rows[-1]
    if turns_per_second <= first[0]:
        # An idle cluster costs more per turn, and less in all: the first row is the upper bound.
        return first[1]
    for (low, cores), (high, more) in itertools.pairwise(rows):
        if turns_per_second <= high:
            part = (turns_per_second - low) / (high - low)
            return Cores(*(a + (b - a) * part for a, b in zip(cores, more, strict=True)))
    return last[1].times(turns_per_second / last[0])
