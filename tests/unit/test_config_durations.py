"""Durations and sizes: what is read, what is refused, and that both directions agree."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.durations import format_duration, format_size, parse_duration, parse_size

MS = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", 250 * MS),
        ("30s", 30_000 * MS),
        ("10m", 600_000 * MS),
        ("1h30m", 5_400_000 * MS),
        ("1.5s", 1_500 * MS),
        ("0s", 0 * MS),
        ("7us", timedelta(microseconds=7)),
        ("2d", timedelta(days=2)),
    ],
)
def test_durations_are_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "30 s", "30sec", "1s!", "!1s", "1s 2s", "\u0661s", "1e3s", ".5s"]
)
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write a number with a unit"):
        parse_duration(text)


def test_durations_outside_what_timers_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="longer than 3650d"):
        parse_duration("99999999999999d")
    with pytest.raises(ValueError, match="finer than a microsecond"):
        parse_duration("0.5us")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("64MB", 64_000_000), ("1KiB", 1_024), ("1.5KB", 1_500), ("7B", 7), ("2 GB", 2 * 10**9)],
)
def test_sizes_are_read(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "64", "MB", "-1MB", "64mb", "64M", "1MB2KB"])
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write a number with a unit"):
        parse_size(text)


def test_a_fraction_of_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="not a whole number of bytes"):
        parse_size("0.5B")


@given(st.integers(0, 10**14))
def test_every_duration_survives_its_text(microseconds: int) -> None:
    value = timedelta(microseconds=microseconds)
    assert parse_duration(format_duration(value)) == value


@given(st.integers(0, 10**13))
def test_every_size_survives_its_text(size: int) -> None:
    assert parse_size(format_size(size)) == size
