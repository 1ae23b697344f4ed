"""How long an id is known: so many ids, and so much time, to the one and the millisecond."""

from __future__ import annotations

import pytest

from headgate.core import dedup
from headgate.core.instance import Instance
from headgate.core.model import Snapshot
from headgate.v1.turn_pb2 import StoredControl


def taken(count: int, *, at_us: int = 0) -> Instance:
    """Return an instance that has taken so many events, one a turn, at that time."""
    instance = Instance(Snapshot("order/17", StoredControl(schema_version=1, at_us=at_us), {}))
    for number in range(count):
        instance.put(f"f{number:02x}", b"")
        dedup.remember(instance, [bytes([number])])
    return instance


@pytest.mark.parametrize(("window", "kept"), [(3, 3), (4, 4), (5, 4)])
def test_exactly_so_many_ids_are_known(window: int, kept: int) -> None:
    instance = taken(4)
    instance.control.turn = 1
    dedup.forget(instance, window, 10**9)
    assert instance.control.window_ids == kept
    assert (instance.get("f00") is not None) is (kept == 4)
    assert instance.get("f03") is not None


@pytest.mark.parametrize(
    ("age_us", "turn", "known"),
    [(600_000_000, 64, 2), (600_000_001, 64, 1), (600_000_001, 63, 2)],
)
def test_exactly_for_so_long(age_us: int, turn: int, known: int) -> None:
    instance = taken(1)
    instance.control.at_us = age_us
    dedup.remember(instance, [b"new"])
    instance.control.turn = turn
    dedup.forget(instance, 1_000, 600_000)
    assert instance.control.window_ids == known
