"""When a schedule is due: a cron expression in a time zone, or a period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

LEAST = timedelta(seconds=1)
"""Shortest period. A timer is a turn; what is to happen more often is a loop of the agent's own."""


MOST = timedelta(days=3_650)


class TimesError(ValueError):
    """No schedule: the message says which part is wrong, and how it is written."""


def occurrences(
    after: datetime, *, cron: str = "", every: timedelta | None = None, zone: str = "UTC"
) -> Iterator[datetime]:
    """Yield the times after a moment, in UTC. Of a period they count from that moment.

    Where the clocks go forward a time that does not exist is skipped or moved as cron does it, and
    where they go back it comes once.

    Raises:
        TimesError: the expression, the zone or the period is none.

    >>> next(occurrences(datetime(2026, 3, 1, tzinfo=UTC), cron="0 9 * * 1-5")).isoformat()
    '2026-03-02T09:00:00+00:00'
    """
    if bool(cron) == (every is not None):
        message = "a schedule has a cron expression or a period, one of them"
        raise TimesError(message)
    try:
        place = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"{zone!r} is no time zone; write one as Europe/Berlin"
        raise TimesError(message) from error
    if every is not None:
        if not LEAST <= every <= MOST:
            message = f"a period is at least {LEAST.total_seconds():g} s, at most {MOST.days} days"
            raise TimesError(message)
        return _periods(after, every)
    try:
        times = CronSim(cron, after.astimezone(place))
    except (CronSimError, ValueError) as error:
        message = f"{cron!r} is no cron expression ({error}); write one as '30 9 * * 1-5'"
        raise TimesError(message) from error
    return (each.astimezone(UTC) for each in times)


def _periods(after: datetime, every: timedelta) -> Iterator[datetime]:
    while True:
        after += every
        yield after
