"""Moments as people write them: `10m` (ago), `2026-11-25T10:30:00Z`, `2026-11-25`, `now`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headgate.config.durations import parse_duration
from headgate.history.errors import MomentError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def read_moment(text: str, now_us: int) -> int:
    """Return a moment in microseconds since the epoch.

    >>> read_moment("2023-11-14T22:13:20Z", 0), read_moment("10s", 1_700_000_000_000_000)
    (1700000000000000, 1699999990000000)

    Raises:
        MomentError: it is none.
    """
    moment_us = now_us if text == "now" else _read(text, now_us)
    if moment_us is None:
        message = (
            f"{text!r} is no moment: write how long ago (90s, 10m, 2h), or a time such as "
            "2026-11-25T10:30:00Z"
        )
        raise MomentError(message)
    if moment_us <= 0:
        message = f"{text!r} is before 1970: nothing was then"
        raise MomentError(message)
    return moment_us


def _read(text: str, now_us: int) -> int | None:
    if text[:4].isdecimal() and text[4:5] == "-":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            # A time without a zone is that of the outputs: UTC.
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return (moment - _EPOCH) // _MICROSECOND
    else:
        try:
            return now_us - parse_duration(text.removesuffix(" ago")) // _MICROSECOND
        except ValueError:
            pass
    return None
