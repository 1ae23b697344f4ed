"""The schedules of `test_schedules`, played on the job's own Gate with next to no memory.

Caches that forget at once, alarms that wake one at a time, names struck off at once, lives at
another parallelism: a world that comes to rest still agrees with the oracle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core import instance
from headgate.flink import shard
from headgate.sim import world as world_module
from headgate.sim.broker import Clock
from headgate.sim.driver import settle
from tests.sim.hosted import NEVER_MS, HostedGate, HostedStore
from tests.sim.test_ledger import CASES, check_accounts, play
from tests.sim.test_schedules import BYTES, KEPT
from tests.sim.themes import FAMILIES, schedule_of
from tests.sim.totals import TOTALS
from tests.sim.verdict import check

MEMORIES: tuple[dict[str, Any], ...] = (
    {"REMEMBERED_INSTANCES": shard.REMEMBERED_INSTANCES},
    {"REMEMBERED_INSTANCES": 0, "REMEMBERED_BYTES": 0, "IDLE_NAMES": 0, "WAKES_AT_ONCE": 1},
    {"REMEMBERED_INSTANCES": 1, "REMEMBERED_BYTES": 600, "IDLE_NAMES": 1},
)


@contextmanager
def the_jobs_gate(data: bytes) -> Iterator[None]:
    """Let worlds that are made meanwhile have the job's own Gate, as the data say."""
    clock, lives = Clock(), count(2)

    def begin(**parts: Any) -> HostedGate:
        # Of the world's choices, one for each life.
        parallelism = 1 + data[next(lives) % len(data)] % 2
        return HostedGate(**parts, parallelism=parallelism, is_batched=data[1] > 127)

    clocks = SimpleNamespace(
        time_ns=lambda: clock.now_ms * 1_000_000, monotonic=lambda: clock.now_ms / 1000
    )
    with (
        patch.multiple(shard, **MEMORIES[data[0] // 8 % len(MEMORIES)]),
        patch.multiple(instance, **KEPT[data[0] // 2 % len(KEPT)]),
        patch.object(world_module, "Clock", lambda: clock),
        patch.object(world_module, "Gate", begin),
        patch.object(world_module, "Store", HostedStore),
        patch("headgate.flink.gate.time", clocks),
        # A world that waits for a window of a month would be stirred half a million times.
        patch("headgate.flink.gate.STIR_MS", 2 * NEVER_MS),
    ):
        yield


@pytest.mark.parametrize("name", FAMILIES)
def test_the_jobs_gate_agrees_with_the_oracle(name: str) -> None:
    """Each family plays a twelfth of its share: a step of the real Gate costs so much more."""
    family = FAMILIES[name]

    @settings(max_examples=settings().max_examples * family.share // 12)
    @given(st.binary(min_size=BYTES, max_size=BYTES))
    def run(data: bytes) -> None:
        with the_jobs_gate(data):
            schedule = schedule_of(family, data)
            schedule.play()
            settle(schedule.world)
            check(schedule)
        TOTALS["schedules of the job's Gate"] += 1

    run()


@pytest.mark.parametrize("name", CASES)
def test_what_the_jobs_gate_tells_the_ledger_agrees_with_the_journal(name: str) -> None:
    @settings(max_examples=settings().max_examples // 6)
    @given(st.binary(min_size=BYTES, max_size=BYTES))
    def run(data: bytes) -> None:
        with the_jobs_gate(data):
            schedule = play(CASES[name], data)
            schedule.play()
            settle(schedule.world)
            check(schedule)
            check_accounts(schedule.world, CASES[name])
        TOTALS["schedules of the job's Gate"] += 1

    run()
