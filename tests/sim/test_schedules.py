"""Random schedules of crashes, replays, zombies, duplicates, reorderings and controls.

Whatever happens, a world that comes to rest agrees with the oracle.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core import instance
from headgate.sim.driver import settle
from tests.sim.themes import FAMILIES, schedule_of
from tests.sim.totals import TOTALS
from tests.sim.verdict import check

BYTES = 150
"""Decisions of a schedule: some 80 steps, before it is left to come to rest."""

KEPT: tuple[dict[str, Any], ...] = (
    {"KEPT_ITEMS": instance.KEPT_ITEMS},
    {"KEPT_EVENT_BYTES": 0, "KEPT_ITEMS": 0},
    # Values that outgrow the control record at ten, and a record that is full.
    {"KEPT_VALUE_BYTES": 1},
    {"KEPT_ITEMS": 2},
)
"""What control records keep of small items: as it is, nothing, and what makes items move."""

ENOUGH = 10_000
"""Schedules that continuous integration plays at least."""


@pytest.mark.parametrize("name", FAMILIES)
def test_a_world_at_rest_agrees_with_the_oracle(name: str) -> None:
    """Each family plays its share of schedules."""
    family = FAMILIES[name]

    @settings(max_examples=settings().max_examples * family.share)
    @given(st.binary(min_size=BYTES, max_size=BYTES))
    def play(data: bytes) -> None:
        schedule = schedule_of(family, data)
        with patch.multiple(instance, **KEPT[data[0] // 2 % len(KEPT)]):
            schedule.play()
            settle(schedule.world)
        chains = check(schedule)
        TOTALS["schedules"] += 1
        TOTALS["turns"] += sum(len(chain.outcomes) for chain in chains.values())
        TOTALS["calls"] += len(schedule.world.calls)
        TOTALS["crashes"] += schedule.world.crashes
        TOTALS["calls paid twice"] += len(schedule.world.paid_twice.known)
        TOTALS["calls whose late outcome nobody could know"] += len(schedule.world.paid_twice.late)

    play()


def test_enough_schedules_were_played() -> None:
    """The count is part of the promise: continuous integration is held to it."""
    if TOTALS["schedules"] == 0:
        pytest.skip("no schedules were played in this run")
    assert TOTALS["calls paid twice"] == 0
    if settings.get_current_profile_name() == "ci":
        assert TOTALS["schedules"] >= ENOUGH
