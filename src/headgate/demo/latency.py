"""Latencies and outages, from the records' own timestamps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from headgate.demo.kills import Killed
from headgate.v1.turn_pb2 import HistoryRecord

# A kill is blamed for gaps that begin within this time after it: a job that fails over goes on for
# moments, and may stumble twice. Later gaps have other causes.
BLAMED_MS = 15_000


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of a set of latencies, in milliseconds; 0 of an empty one."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Outage:
    """The longest time without an outcome in the journal that a kill caused."""

    kind: str
    at_s: float
    seconds: float


def percentiles(values: Sequence[float]) -> Percentiles:
    """Return nearest-rank percentiles.

    >>> percentiles(range(1, 101))
    Percentiles(p50=50, p99=99)
    """
    ordered = sorted(values)
    if not ordered:
        return Percentiles(0, 0)
    return Percentiles(*(ordered[-(-len(ordered) * share // 100) - 1] for share in (50, 99)))


def to_journal(history: Iterable[HistoryRecord]) -> dict[str, int]:
    """Milliseconds from each event's record to the journal's record of its outcome."""
    return {
        ref.id: record.journal_ms - ref.origin.timestamp_ms
        for record in history
        for ref in record.outcome.taken
    }


def to_outbox(history: Iterable[HistoryRecord], answered_ms: Mapping[str, int]) -> dict[str, int]:
    """Milliseconds from each event's record until a consumer saw its output."""
    return {
        ref.id: answered_ms[ref.id] - ref.origin.timestamp_ms
        for record in history
        for ref in record.outcome.taken
        if ref.id in answered_ms
    }


def outages(killed: Iterable[Killed], outcomes_ms: Sequence[int]) -> list[Outage]:
    """Return the outage of each kill; `outcomes_ms` are the journal's append times, in order."""
    kills = sorted(killed, key=lambda kill: kill.wall_ms)
    found = []
    for number, kill in enumerate(kills):
        until = kill.wall_ms + BLAMED_MS
        if number + 1 < len(kills):
            until = min(until, kills[number + 1].wall_ms)
        first = max(0, bisect_left(outcomes_ms, kill.wall_ms) - 1)
        gaps = [
            after - before
            for before, after in pairwise(outcomes_ms[first:])
            if before < until and after > kill.wall_ms
        ]
        found.append(Outage(kill.victim.value, kill.at_seconds, max(gaps, default=0) / 1_000))
    return found
