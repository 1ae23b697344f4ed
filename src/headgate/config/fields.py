"""What the sections of headgate.toml have in common: their base class and their field types."""

from datetime import timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
)

from headgate.config.durations import format_duration, format_size, parse_duration, parse_size

# The validation context of values that a person wrote into a file.
FROM_FILE = "file"


class Section(BaseModel):
    """A table of headgate.toml: immutable, and without room for keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _read_duration(value: object) -> timedelta:
    match value:
        case timedelta():
            duration = value
        case str():
            duration = parse_duration(value)
        case _:
            message = f'must be a string with a unit, such as "30s", not {value!r}'
            raise ValueError(message)
    if duration <= timedelta(0):
        message = "must be longer than nothing"
        raise ValueError(message)
    return duration


def _read_size(value: object, info: ValidationInfo) -> int:
    match value:
        case str():
            size = parse_size(value)
        # In Python the docstring says bytes; in a file nothing would say it.
        case int() if not isinstance(value, bool) and info.context != FROM_FILE:
            size = value
        case _:
            message = f'must be a string with a unit, such as "64MB", not {value!r}'
            raise ValueError(message)
    if size <= 0:
        message = "must be more than nothing"
        raise ValueError(message)
    return size


# A timedelta above zero; text in TOML and JSON.
Duration = Annotated[
    timedelta, BeforeValidator(_read_duration), PlainSerializer(format_duration, when_used="json")
]
# A number of bytes above zero; text in TOML and JSON.
Size = Annotated[int, BeforeValidator(_read_size), PlainSerializer(format_size, when_used="json")]
# strict: pydantic would otherwise take "4", 4.0 and true for a number.
Count = Annotated[int, Field(strict=True, ge=1)]
CountOrZero = Annotated[int, Field(strict=True, ge=0)]


def between(shortest: timedelta, longest: timedelta) -> AfterValidator:
    """Bounds for a Duration; pydantic's own would print them as Python writes timedeltas."""

    def check(value: timedelta) -> timedelta:
        if shortest <= value <= longest:
            return value
        bounds = f"{format_duration(shortest)} to {format_duration(longest)}"
        message = f"must be {bounds}, not {format_duration(value)}"
        raise ValueError(message)

    return AfterValidator(check)
