"""Budgets as they stand in the registry: what is no budget counts as none."""

from __future__ import annotations

import time
from typing import Any

import pytest

from headgate.kafka.money import read_budget, succeed
from headgate.v1.cost_pb2 import Budget


def budget(**fields: Any) -> Budget:
    made = Budget(name="pot", per=Budget.TENANT, window=Budget.HOUR, when_spent=Budget.DEFER)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_a_budget_is_read() -> None:
    assert read_budget("pot", budget().SerializeToString()) == budget()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "other"}, "it is the record of pot, and says that it is other"),
        ({"per": 0}, "what it is per"),
        ({"per": 9}, "what it is per"),
        ({"window": 9}, "what it is per"),
        ({"when_spent": 9}, "what it is per"),
        ({"schema_version": 2}, "newer than this Headgate"),
    ],
)
def test_what_is_no_budget_says_why(fields: dict[str, Any], why: str) -> None:
    read = read_budget("pot", budget(**fields).SerializeToString())
    assert isinstance(read, str)
    assert why in read


def made(window: Budget.Window = Budget.HOUR, known: Budget | None = None, **clock: int) -> Budget:
    return succeed(budget(window=window), known, clock["newest_ms"])


@pytest.mark.parametrize("ahead_ms", [3_600_000, 10_000])
def test_a_clock_that_is_ahead_leaves_no_turn_uncounted(ahead_ms: int) -> None:
    newest = time.time_ns() // 1_000_000 - ahead_ms
    assert newest * 1_000 <= made(newest_ms=newest).since_us < (newest + 1_000) * 1_000


def test_a_clock_that_is_behind_still_wakes_those_that_wait() -> None:
    newest = time.time_ns() // 1_000_000 + 3_600_000
    assert made(newest_ms=newest).updated_ms == newest


def test_before_the_first_record_all_that_will_be_journaled_counts() -> None:
    assert made(newest_ms=0).since_us < 1_000_000


def test_another_limit_keeps_what_was_spent_and_another_window_does_not() -> None:
    known = made(newest_ms=5_000)
    assert made(known=known, newest_ms=9_000).since_us == known.since_us
    assert made(Budget.DAY, known, newest_ms=9_000).since_us > known.since_us


def test_what_is_nothing_at_all_says_why() -> None:
    assert "cannot be parsed" in str(read_budget("pot", b"\xff\xff"))
