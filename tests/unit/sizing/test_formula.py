"""From a load to what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate.sizing.check import check, spread
from headgate.sizing.figures import RULES, TASK_MANAGER_TURNS
from headgate.sizing.formula import Size, parallelism_of, partitions_of, size_of
from headgate.sizing.load import Load
from headgate.sizing.notes import verdicts
from headgate.sizing.records import Weights, weigh

LOAD = Load(turns_per_second=100)
WEIGHTS = Weights(
    event=1_000,
    journal=2_000,
    outbox=1_500,
    history=2_500,
    request=5_000,
    stored=4_000,
    stored_per_event=100,
    tick=40,
    closed=30,
)


def sized(**changed: Any) -> Size:
    return size_of(replace(LOAD, **changed), WEIGHTS)


def test_a_little_load_still_has_two_task_managers() -> None:
    found = sized(turns_per_second=1)
    assert (found.task_managers, found.parallelism, found.partitions) == (2, 2, 8)


def test_neither_load_nor_burst_nor_a_loss_is_too_much() -> None:
    for rate in (500, 5_000, 20_000, 100_000):
        for burst in (1.0, 2.0, 5.0):
            load = replace(LOAD, turns_per_second=rate, burst=burst)
            each = rate / parallelism_of(load)
            assert each <= RULES.normal * TASK_MANAGER_TURNS
            assert each * burst <= RULES.peak * TASK_MANAGER_TURNS
            # One that runs two parts.
            assert 2 * each < TASK_MANAGER_TURNS
            # And no more than are needed.
            fewer = parallelism_of(load) - 1
            assert fewer < RULES.least_task_managers or (
                rate / fewer > RULES.normal * TASK_MANAGER_TURNS
                or rate * burst / fewer > RULES.peak * TASK_MANAGER_TURNS
            )


@pytest.mark.parametrize("parallelism", [1, 2, 3, 7, 64, 3_000, 10_000])
def test_partitions_are_even_and_possible(parallelism: int) -> None:
    partitions = partitions_of(parallelism)
    assert partitions % parallelism == 0
    assert parallelism <= partitions <= 10_000


def test_calls_in_flight_are_littles_law() -> None:
    found = sized(turns_per_second=50, call_seconds=8.0, burst=1.0)
    assert found.in_flight == 400
    # 99 of 100 moments: the mean, and 2.33 of its root above it.
    assert found.in_flight_peak == 447
    assert sized(turns_per_second=500, call_seconds=8.0, burst=2.0).endpoints == 5


def test_bytes_are_rate_times_record_and_ticks() -> None:
    topics = {each.topic: each for each in sized().traffic}
    assert topics["events"].bytes_per_second == 100_000
    assert topics["journal"].bytes_per_second == 200_000 + 8 * 40
    assert topics["outbox"].disk_bytes == 150_000 * 7 * 86_400 * 3
    assert topics["history"].disk_bytes == (250_000 + 8 * 30) * 30 * 86_400 * 3


def test_state_is_what_instances_keep_and_what_their_windows_remember() -> None:
    # 0.01 turns/s an instance: 6 in ten minutes.
    assert sized().state_bytes == 10_000 * (4_000 + 5 * 100)
    # Never more than the window's count.
    assert sized(instances=10).state_bytes == 10 * (4_000 + 999 * 100)
    assert sized(checkpoint_seconds=60.0).checkpoint_bytes == 60 * 100 * (1_000 + 100)
    # All of it at most.
    assert sized(instances=10, checkpoint_seconds=1e6).checkpoint_bytes == 10 * 103_900


def test_a_worker_holds_its_share_of_the_calls() -> None:
    little, much = sized(), sized(turns_per_second=500, call_seconds=60.0)
    assert little.memory_mb["worker"] == 165
    assert much.memory_mb["worker"] == pytest.approx(164 + 30_570 * 2 / 2 * 5_000 / 1e6, rel=0.01)
    assert much.cores.workers > little.cores.workers + 0.3


def test_records_are_weighed_as_the_job_writes_them() -> None:
    base = weigh(LOAD)
    assert weigh(LOAD) == base
    more = weigh(replace(LOAD, event_bytes=3_000))
    # An event is in the events' topic once; what it made is the same.
    assert more.event - base.event == pytest.approx(2_000, abs=4)
    assert more.journal == pytest.approx(base.journal, abs=4)
    output = weigh(replace(LOAD, output_bytes=3_000))
    assert output.outbox - base.outbox == pytest.approx(2_000, abs=4)
    assert output.history - base.history == pytest.approx(2_000, abs=16)
    state = weigh(replace(LOAD, state_bytes=8_000))
    assert state.stored - base.stored == pytest.approx(4_000, abs=4)
    assert state.request - base.request == pytest.approx(4_000, abs=4)
    changed = weigh(replace(LOAD, changed_bytes=2_000))
    assert changed.journal - base.journal == pytest.approx(1_000, abs=16)
    # What a turn changes is not what the dedup window remembers of it.
    assert changed.stored_per_event == pytest.approx(base.stored_per_event, abs=16)
    assert 0 < base.stored_per_event < 300


def test_keys_are_spread_as_murmur2_and_flink_do() -> None:
    shares = spread(20_000, 8, 2)
    assert sum(shares) == pytest.approx(1)
    assert max(shares) < 0.52
    # Three keys are not even, and nothing pretends so.
    assert max(spread(3, 8, 2)) > 0.6


def test_what_is_close_to_an_edge_is_said() -> None:
    load = replace(LOAD, turns_per_second=500, instances=100)
    found = size_of(load, WEIGHTS)
    [said] = verdicts(load, found, check(load, found))
    assert "5.00 of its time" in said
    calm = replace(LOAD, turns_per_second=200)
    assert verdicts(calm, size_of(calm, WEIGHTS), check(calm, size_of(calm, WEIGHTS))) == []
    # A size that is too small is found out by the simulation, not by the formula.
    load = replace(LOAD, turns_per_second=2_900, instances=100_000)
    small = replace(size_of(load, WEIGHTS), parallelism=1, partitions=4)
    said = " ".join(verdicts(load, small, check(load, small)))
    assert "does not catch up" in said
    assert "at the burst" in said
