"""Durations ("250ms", "30s", "1h30m") and sizes ("64MB", "4KiB") as people write them.

Both directions are exact: `parse_x(format_x(value)) == value`. A bare number is refused, because
nobody who reads the file later knows its unit.
"""

import re
from datetime import timedelta
from decimal import Decimal

# Microseconds per unit; the microsecond is the resolution of timedelta.
_DURATION_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
# Bytes per unit. MB is decimal, so "1MB" fits Kafka's default limit of 1,048,588 bytes a batch.
_SIZE_UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_MICROSECOND = timedelta(microseconds=1)
# Ten years: longer than any deadline, far inside what timedelta and Java's long milliseconds hold.
_LONGEST = timedelta(days=3650)

_NUMBER = r"(?P<number>[0-9]+(?:\.[0-9]+)?)"
_DURATION_PART = re.compile(rf"{_NUMBER}(?P<unit>us|ms|s|m|h|d)")
_SIZE = re.compile(rf"{_NUMBER} ?(?P<unit>[KMG]i?B|B)")


def parse_duration(text: str) -> timedelta:
    """The duration that `text` names: numbers with units us, ms, s, m, h, d, added up.

    Raises ValueError with a sentence for the operator.

    >>> parse_duration("1m30s")
    datetime.timedelta(seconds=90)
    """
    microseconds = Decimal(0)
    position = 0
    for part in _DURATION_PART.finditer(text):
        if part.start() != position:
            break
        microseconds += Decimal(part["number"]) * _DURATION_UNITS[part["unit"]]
        position = part.end()
    if position != len(text) or not text:
        message = f"{text!r} is not a duration; write a number with a unit: 250ms, 30s, 10m, 2h, 1d"
        raise ValueError(message)
    if microseconds != int(microseconds):
        message = f"{text!r} is finer than a microsecond"
        raise ValueError(message)
    if microseconds > _LONGEST // _MICROSECOND:
        message = f"{text!r} is longer than {format_duration(_LONGEST)}"
        raise ValueError(message)
    return timedelta(microseconds=int(microseconds))


def format_duration(value: timedelta) -> str:
    """`value` in the largest unit that names it without a fraction.

    >>> format_duration(timedelta(seconds=90))
    '90s'
    """
    microseconds = value // _MICROSECOND
    for unit, length in reversed(_DURATION_UNITS.items()):
        if microseconds and microseconds % length == 0:
            return f"{microseconds // length}{unit}"
    return "0s"


def parse_size(text: str) -> int:
    """The number of bytes that `text` names: B, KB, MB, GB (decimal), KiB, MiB, GiB (binary).

    Raises ValueError with a sentence for the operator.

    >>> parse_size("64MB")
    64000000
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        message = f"{text!r} is not a size; write a number with a unit: 500KB, 64MB, 1GB, 4MiB"
        raise ValueError(message)
    size = Decimal(match["number"]) * _SIZE_UNITS[match["unit"]]
    if size != int(size):
        message = f"{text!r} is not a whole number of bytes"
        raise ValueError(message)
    return int(size)


def format_size(size: int) -> str:
    """`size` in bytes, written in the largest unit that names it without a fraction.

    >>> format_size(64_000_000)
    '64MB'
    """
    for unit, length in sorted(_SIZE_UNITS.items(), key=lambda item: -item[1]):
        if size and size % length == 0:
            return f"{size // length}{unit}"
    return "0B"
