"""A size put to the test: the busiest TaskManager at the load, at a burst, and after a loss."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.core.identity import partition_of
from headgate.sizing import figures
from headgate.sizing.formula import Size
from headgate.sizing.load import Load
from headgate.sizing.simulation import Queue, Simulated, simulate

EVENTS_AT_MOST = 30_000
"""Of one scenario: a second of this machine's time, enough for a 99th percentile."""

LEAST_SECONDS = 20.0
SAMPLE = 20_000
"""Instances whose places are computed to see how evenly they are spread; more are no less even."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the simulation says of a size. busiest: of a TaskManager's instances, over the mean."""

    busiest: float
    load: Simulated
    burst: Simulated
    loss: Simulated


def check(load: Load, size: Size, *, seed: int = 0) -> Checked:
    """Simulate the busiest TaskManager.

    Loss: another is killed, everything waits for as long as was measured for one of two, and this
    one runs two parts of the job from then on, with one interpreter lock for both.
    """
    shares = sorted(spread(load.instances, size.partitions, size.parallelism), reverse=True)
    busiest = shares[0]
    doubled = busiest + (shares[1] if len(shares) > 1 else 0.0)
    return Checked(
        busiest=busiest * size.parallelism,
        load=_run(load, busiest, seed=seed),
        burst=_run(load, busiest, times=load.burst, seed=seed),
        loss=_run(load, doubled, outage=figures.OUTAGE_ONE_OF_TWO_SECONDS, seed=seed),
    )


def spread(instances: int, partitions: int, parallelism: int) -> list[float]:
    """Return the share of instances of each subtask, by the partitions that their keys have."""
    counted = min(instances, SAMPLE)
    counts = [0] * parallelism
    for number in range(counted):
        shard = partition_of(f"agent/{number}".encode(), partitions)
        # As Flink spreads key groups, of which there are as many as shards (flink.shards).
        counts[shard * parallelism // partitions] += 1
    return [count / counted for count in counts]


def _run(
    load: Load, share: float, *, times: float = 1.0, outage: float = 0.0, seed: int
) -> Simulated:
    rate = load.turns_per_second * share * times
    longest = max(LEAST_SECONDS, 10 * load.call_seconds, 10 * outage)
    # After an outage all of it matters; else the first calls must have come back.
    seconds = longest if outage else min(longest, EVENTS_AT_MOST / rate)
    return simulate(
        Queue(
            events_per_second=rate,
            turns_at_most=figures.TASK_MANAGER_TURNS,
            call_seconds=load.call_seconds,
            instances=max(1, round(load.instances * share)),
            seconds=seconds,
            max_batch=load.max_batch,
            outage_seconds=outage,
            warm_up_seconds=0.0 if outage else seconds / 5,
        ),
        seed=seed,
    )
