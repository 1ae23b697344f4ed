"""Hours, days and months in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.windows import end_of, window_of
from headgate.v1.cost_pb2 import Budget


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [
        (Budget.HOUR, us(2024, 2, 29, 13), us(2024, 2, 29, 14)),
        (Budget.DAY, us(2024, 2, 29), us(2024, 3, 1)),
        (Budget.MONTH, us(2024, 2, 1), us(2024, 3, 1)),
        (Budget.TOTAL, 0, 0),
    ],
)
def test_a_moment_is_in_its_window(window: Budget.Window, begin: int, end: int) -> None:
    assert window_of(window, us(2024, 2, 29, 13, 59, 59)) == begin
    assert end_of(window, begin) == end


def test_december_ends_in_january() -> None:
    assert end_of(Budget.MONTH, us(2025, 12, 1)) == us(2026, 1, 1)


@given(
    st.integers(0, us(2200, 1, 1)),
    st.sampled_from([Budget.HOUR, Budget.DAY, Budget.MONTH]),
)
def test_windows_are_without_gaps(at: int, window: Budget.Window) -> None:
    begin = window_of(window, at)
    end = end_of(window, begin)
    assert begin <= at < end
    assert window_of(window, end - 1) == begin
    assert window_of(window, end) == end


@pytest.mark.parametrize("window", [Budget.HOUR, Budget.DAY, Budget.MONTH, Budget.TOTAL])
def test_a_broken_clock_has_a_window_too(window: Budget.Window) -> None:
    for at_us in (us(9999, 12, 31), (1 << 62) - 1):
        begin = window_of(window, at_us)
        assert begin <= at_us < (end_of(window, begin) or 1 << 63)
