"""Amounts, moments and tenants as fields of headgate.toml."""

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

MOST = Decimal(1_000_000_000)
"""Of an amount, in units of the currency: sums of it fit what they are stored in."""

TENANT_CHARS = 200


def _read_amount(value: object) -> Decimal:
    # bool is an int, and Decimal would take "1_0", "NaN" and blanks.
    if isinstance(value, Decimal):
        amount = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        amount = Decimal(str(value))
    elif isinstance(value, str) and value.replace(".", "", 1).isdecimal():
        amount = Decimal(value)
    else:
        message = f"must be an amount of money, such as 0.25, not {value!r}"
        raise ValueError(message)
    if not amount.is_finite() or not 0 <= amount <= MOST:
        message = f"must be 0 to {MOST:,} of the currency, not {value}"
        raise ValueError(message)
    if amount * 10**9 % 1:
        message = f"has more than nine places: {value}"
        raise ValueError(message)
    return amount


def _read_moment(value: object) -> datetime:
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - UTC comes below
    if not isinstance(value, datetime):
        message = f"must be a date or a time, such as 2026-01-31, not {value!r}"
        raise ValueError(message)  # noqa: TRY004 - pydantic shows ValueErrors alone
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def check_tenant(text: str) -> str:
    """Return the name of a tenant; raises ValueError where it is none."""
    if text.strip() == text and text.isprintable() and 0 < len(text) <= TENANT_CHARS:
        return text
    message = f"must be 1 to {TENANT_CHARS} characters without control characters, not {text!r}"
    raise ValueError(message)


# Units of the currency, nine places at most; text in JSON.
Amount = Annotated[Decimal, BeforeValidator(_read_amount), PlainSerializer(str, when_used="json")]
# In UTC where it names no zone.
Moment = Annotated[
    datetime, BeforeValidator(_read_moment), PlainSerializer(datetime.isoformat, when_used="json")
]
TenantName = Annotated[str, AfterValidator(check_tenant)]
