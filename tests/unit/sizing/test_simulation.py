"""The simulation against what queueing theory knows, and against its own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.sizing.simulation import BEFORE, Queue, simulate

ENDLESS = 10**9
"""So many instances that no two events are for the same."""

QUEUE = Queue(
    events_per_second=50,
    turns_at_most=100,
    call_seconds=0.0,
    instances=ENDLESS,
    seconds=400,
    warm_up_seconds=20,
)


def waits_of_theory(rate: float) -> float:
    """The mean wait of both visits of a turn (Pollaczek-Khinchine: a visit takes one of two
    exponential times), which for a call of no time comes close to it.
    """
    before, after = BEFORE / 100, (1 - BEFORE) / 100
    # Visits come at twice the rate, half of them of each kind; second moment of an exponential.
    second = (2 * before**2 + 2 * after**2) / 2
    return 2 * (2 * rate * second / (2 * (1 - rate * (before + after))))


@pytest.mark.parametrize("rate", [30, 50, 70])
def test_it_is_as_busy_and_as_slow_as_theory_says(rate: float) -> None:
    """With calls of a second: what comes back is as good as random, as theory wants it."""
    queue = replace(QUEUE, events_per_second=rate, call_seconds=1.0)
    runs = [simulate(queue, seed=seed) for seed in range(4)]
    assert sum(run.utilisation for run in runs) / 4 == pytest.approx(rate / 100, rel=0.04)
    assert sum(run.wait_mean for run in runs) / 4 == pytest.approx(waits_of_theory(rate), rel=0.15)


def test_the_same_seed_is_the_same_world() -> None:
    assert simulate(QUEUE, seed=3) == simulate(QUEUE, seed=3)
    assert simulate(QUEUE, seed=3) != simulate(QUEUE, seed=4)


def test_an_instance_takes_one_turn_at_a_time() -> None:
    """Ten events a second for one instance with calls of a second: they wait for it, in batches."""
    queue = replace(QUEUE, events_per_second=10, call_seconds=1.0, instances=1)
    found = simulate(queue)
    assert found.held_p99 > 1.0
    # Batches: one outcome for many events.
    assert found.utilisation < 0.1
    # One at a time, nine of ten events never get a turn.
    alone = simulate(replace(queue, max_batch=1))
    assert alone.held_p99 > 100
    assert simulate(replace(queue, instances=ENDLESS)).held_p99 == 0


def test_an_outage_is_worked_off() -> None:
    """What came in four seconds at half of the capacity is worked off in about four more."""
    queue = replace(QUEUE, seconds=40, outage_seconds=4.0, warm_up_seconds=0)
    found = simulate(queue)
    assert found.drained == pytest.approx(8.0, abs=1.5)
    assert found.queue_at_most == pytest.approx(200, rel=0.3)
    assert found.wait_p99 > 3
    assert simulate(replace(queue, events_per_second=110)).drained is None
