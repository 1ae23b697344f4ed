"""A shard's caches: small ones change nothing but speed, and none grows with the instances."""

from __future__ import annotations

import pytest

from headgate.core.codec import CONTROL_VERSION
from headgate.flink import shard as module
from headgate.flink.shard import Shard
from headgate.v1.turn_pb2 import StoredControl
from tests.flink.test_gate import Stored


def control(turn: int = 0) -> StoredControl:
    return StoredControl(schema_version=CONTROL_VERSION, turn=turn)


@pytest.fixture
def shard() -> Shard:
    return Shard(0, "shard-0", Stored(), Stored())


def test_a_backlog_of_new_instances_is_not_kept_in_memory(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is new once: if only instances that are met again could push others out, none would."""
    monkeypatch.setattr(module, "REMEMBERED_INSTANCES", 3)
    for number in range(20):
        address = f"order/{number}"
        assert shard.control_of(address) is None
        shard.keep(address, control(number), {})
        shard.write()
        assert len(shard._known) <= 3
    for number in range(20):
        found = shard.control_of(f"order/{number}")
        assert found is not None
        assert found.turn == number


def test_the_smallest_items_take_memory_too(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_BYTES", 10_000)
    for number in range(1_000):
        shard.keep("order/1", None, {f"v{number}": b""})
        shard.write()
    assert len(shard._remembered) < 100
    for number in range(1_000):
        shard.keep("order/1", None, {f"v{number}": None})
    assert (shard._remembered, shard._remembered_bytes) == ({}, 0)


@pytest.mark.parametrize("remembered", [0, 1])
def test_a_change_that_is_not_written_yet_is_seen_whatever_is_forgotten(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    """One record holds outcomes of many instances, and of one instance more than one."""
    monkeypatch.setattr(module, "REMEMBERED_INSTANCES", remembered)
    monkeypatch.setattr(module, "REMEMBERED_BYTES", 0)
    shard.keep("order/1", control(1), {"v1": b"old"})
    shard.write()
    shard.keep("order/1", control(2), {"v1": b"new"})
    shard.keep("order/2", control(9), {"v1": b"other"})
    found = shard.control_of("order/1")
    assert found is not None
    assert found.turn == 2
    assert shard.items_of("order/1").get("v1") == b"new"
    shard.keep("order/1", found, {"v1": None})
    assert shard.items_of("order/1").get("v1") is None
    shard.write()
    assert shard.items_of("order/1").get("v1") is None
    assert shard.items_of("order/2").get("v1") == b"other"


def test_no_item_is_taken_for_anothers(shard: Shard) -> None:
    """Addresses and names of values may contain whatever separates them."""
    places = [("t/k", "vx/vy"), ("t/k/vx", "vy"), ("t/k", "vx/"), ("t/k/vx", ""), ("t/k", "m0")]
    for number, (address, name) in enumerate(places):
        if name:
            shard.keep(address, None, {name: str(number).encode()})
        else:
            shard.keep(address, control(number), {})
    shard.write()
    for number, (address, name) in enumerate(places):
        if name:
            assert shard.items_of(address).get(name) == str(number).encode()
        else:
            found = shard.control_of(address)
            assert found is not None
            assert found.turn == number


def test_names_of_those_that_wait_are_never_struck_off(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_NAMES", 1)
    names = [f"order/{number}" for number in range(5)]
    for address in names:
        shard.wake_at(address, 10)
    shard.write()
    assert sorted(shard.take_due(10)) == names
    for address in names[:3]:
        shard.wake_at(address, 20)
    shard.write()
    assert set(names[:3]) <= set(shard._due.names())
    assert len(list(shard._due.names())) == 4, "one idle name is kept"
    again = Shard(0, "shard-0", shard._entries, shard._due)
    assert set(names[:3]) <= set(again.take_due(20))


def test_an_alarm_wakes_so_many_and_leaves_the_others_for_the_next(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAKES_AT_ONCE", 2)
    for number in range(3):
        shard.wake_at(f"order/{number}", number + 1)
    assert shard.take_due(10) == ["order/0", "order/1"]
    assert shard.next_wake_ms() == 3
    assert shard.take_due(10) == ["order/2"]
