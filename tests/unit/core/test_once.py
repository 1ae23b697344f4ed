"""Ids that come again are known, also after a restore, and old ones are forgotten."""

from __future__ import annotations

import pytest

from headgate.core import once
from headgate.core.once import KEPT_MINUTES, Once

MINUTE = 60_000_000


def named(number: int) -> bytes:
    return number.to_bytes(16, "big")


def restored(stored: dict[str, bytes], ids: Once) -> Once:
    for name, value in ids.changes():
        if value is None:
            stored.pop(name, None)
        else:
            stored[name] = value
    return Once(stored.items())


def test_an_id_is_new_once_also_after_a_restore() -> None:
    ids, stored = Once(), dict[str, bytes]()
    assert ids.is_new(named(1), 0, 0)
    assert ids.is_new(named(2), 0, MINUTE)
    assert not ids.is_new(named(1), 0, MINUTE)
    ids = restored(stored, ids)
    assert not ids.is_new(named(1), 0, 2 * MINUTE)
    assert not ids.is_new(named(2), 0, 2 * MINUTE)
    assert ids.is_new(named(3), 0, 2 * MINUTE)


def test_lives_of_one_minute_add_to_what_is_stored() -> None:
    ids, stored = Once(), dict[str, bytes]()
    for number in range(3):
        assert ids.is_new(named(number), 0, 0)
        ids = restored(stored, ids)
    assert not any(ids.is_new(named(number), 0, 0) for number in range(3))


def test_minutes_are_forgotten_whole_and_leave_nothing_stored() -> None:
    ids, stored = Once(), dict[str, bytes]()
    for minute in range(3 * KEPT_MINUTES):
        assert ids.is_new(named(minute), 0, minute * MINUTE)
        ids = restored(stored, ids)
    assert len(stored) <= KEPT_MINUTES + 1
    assert not ids.is_new(named(3 * KEPT_MINUTES - 1), 0, 3 * KEPT_MINUTES * MINUTE)


def test_a_partition_that_is_read_late_keeps_its_own() -> None:
    ids = Once()
    assert ids.is_new(named(1), 0, 100 * MINUTE)
    assert ids.is_new(named(2), 1, 0)
    assert ids.is_new(named(3), 0, 101 * MINUTE)
    assert not ids.is_new(named(2), 1, 0)


def test_a_stamp_far_ahead_does_not_make_it_forget_what_comes_after() -> None:
    ids, stored = Once(), dict[str, bytes]()
    assert ids.is_new(named(1), 0, 10**9 * MINUTE)
    for number in range(2, 5):
        assert ids.is_new(named(number), 0, number * MINUTE)
        ids = restored(stored, ids)
        assert not ids.is_new(named(number), 0, number * MINUTE)
    assert not ids.is_new(named(2), 0, 5 * MINUTE)


def test_those_that_came_first_are_forgotten_first_also_after_a_restore() -> None:
    ids, stored = Once(), dict[str, bytes]()
    for number, minute in enumerate((900, 1_000, 80, 9, 11, 12)):
        assert ids.is_new(named(number), 0, minute * MINUTE)
    ids = restored(stored, ids)
    assert ids.is_new(named(6), 0, 13 * MINUTE)
    assert not any(ids.is_new(named(number), 0, 13 * MINUTE) for number in range(1, 7))
    assert ids.is_new(named(0), 0, 13 * MINUTE)


def test_there_are_never_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "MOST_IDS", 10)
    ids, stored = Once(), dict[str, bytes]()
    for number in range(100):
        ids.is_new(named(number), 0, number // 4 * MINUTE // 20)
    ids = restored(stored, ids)
    for number in range(100, 200):
        ids.is_new(named(number), 0, (10 + number) * MINUTE)
        ids = restored(stored, ids)
    assert sum(map(len, stored.values())) // 16 <= 10


def test_an_id_of_another_length_puts_no_other_out_of_place() -> None:
    once, good = Once(), bytes(range(16))
    assert once.is_new(b"abc", 0, 60_000_000)
    assert once.is_new(good, 0, 60_000_001)
    again = Once((name, raw) for name, raw in once.changes() if raw is not None)
    assert not again.is_new(good, 0, 60_000_002)
    assert not again.is_new(b"abc", 0, 60_000_003)
