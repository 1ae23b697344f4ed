"""When schedules are due: expressions, zones, summer time, periods; and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from headgate.schedules.times import TimesError, occurrences


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "found"),
    [
        ("0 9 * * 1-5", "UTC", "2026-11-27T10:00", ["2026-11-30T09:00", "2026-12-01T09:00"]),
        ("*/20 * * * *", "UTC", "2026-11-27T10:20", ["2026-11-27T10:40", "2026-11-27T11:00"]),
        ("30 9 * * *", "Europe/Berlin", "2026-11-27T00:00", ["2026-11-27T08:30"]),
        ("30 9 * * *", "Europe/Berlin", "2026-07-01T00:00", ["2026-07-01T07:30"]),
        # 02:30 does not exist on 29 March, and comes twice on 25 October.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00",
         ["2026-03-29T01:00", "2026-03-30T00:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00",
         ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T00:00"]),
        ("0 12 L * *", "UTC", "2026-02-01T00:00", ["2026-02-28T12:00"]),
    ],
)  # fmt: skip
def test_expressions(cron: str, zone: str, after: str, found: list[str]) -> None:
    times = islice(occurrences(at(after), cron=cron, zone=zone), len(found))
    assert list(times) == [at(each) for each in found]


def test_a_period_counts_from_its_beginning() -> None:
    times = islice(occurrences(at("2026-01-01T00:00"), every=timedelta(minutes=90)), 2)
    assert list(times) == [at("2026-01-01T01:30"), at("2026-01-01T03:00")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cron": "61 * * * *"}, "'61 \\* \\* \\* \\*' is no cron expression"),
        ({"cron": "often"}, "is no cron expression"),
        ({"cron": "* * * * *", "zone": "Mars/Olympus"}, "'Mars/Olympus' is no time zone"),
        ({"cron": "* * * * *", "zone": "../etc/passwd"}, "is no time zone"),
        ({}, "one of them"),
        ({"cron": "* * * * *", "every": timedelta(hours=1)}, "one of them"),
        ({"every": timedelta(milliseconds=10)}, "at least 1 s"),
    ],
)
def test_what_is_no_schedule_says_why(given: dict[str, str], said: str) -> None:
    with pytest.raises(TimesError, match=said):
        occurrences(at("2026-01-01T00:00"), **given)  # type: ignore[arg-type]
