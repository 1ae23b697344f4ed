"""The windows of budgets: hours, days and months in UTC, and all time.

Times are microseconds since the epoch.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headgate.v1.cost_pb2 import Budget

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_US = 253_399_622_400_000_000
"""December 9999, the last month that has a name here: the window that begins then does not end.
Later stamps are a broken clock's, and what comes with them is counted in it."""

_LENGTHS = {Budget.HOUR: 3_600_000_000, Budget.DAY: 86_400_000_000}


def window_of(window: Budget.Window, at_us: int) -> int:
    """Return when the window began that a moment belongs to; 0 for all time.

    >>> window_of(Budget.HOUR, 3_600_000_001)
    3600000000
    """
    at_us = min(at_us, _LAST_US)
    length = _LENGTHS.get(window)
    if length:
        return at_us - at_us % length
    if window == Budget.MONTH:
        moment = _EPOCH + timedelta(microseconds=at_us)
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return (first - _EPOCH) // _MICROSECOND
    return 0


def end_of(window: Budget.Window, begin_us: int) -> int:
    """Return when a window ends that began then; 0 for all time, which does not, as a
    broken clock's does not.

    >>> end_of(Budget.DAY, 0)
    86400000000
    """
    if begin_us >= _LAST_US:
        return 0
    length = _LENGTHS.get(window)
    if length:
        return begin_us + length
    if window == Budget.MONTH:
        # 32 days after the first of any month is in the next one.
        return window_of(window, begin_us + 32 * _LENGTHS[Budget.DAY])
    return 0
