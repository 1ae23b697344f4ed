"""Codec: two conversions between Python and JSON values, and how a misfit is told."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate.sdk.errors import StateError

to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_raw_decode = json.JSONDecoder().raw_decode


def from_json(data: bytes) -> Any:
    """Decode JSON as `json.loads` does; ValueError or RecursionError if it is none.

    >>> from_json(b'{"a": 1}')
    {'a': 1}
    """
    # Nearly everything is bare UTF-8, and loads takes three times as long to find that out. What
    # is not (UTF-16, a byte order mark, blanks around it, no JSON at all) is left to loads: it
    # knows what to make of it, or how to name the fault.
    try:
        text = data.decode()
        value, end = _raw_decode(text)
    except ValueError:
        return json.loads(data)
    return value if end == len(text) else json.loads(data)


class Misfit(Exception):  # noqa: N818 - never leaves this package: becomes a StateError
    """A value does not fit its type; `path` grows while it travels outwards."""

    def __init__(self, got: Any, wanted: str) -> None:
        super().__init__()
        self.wanted = wanted
        self.got = got
        self.path = ""

    def inside(self, step: str) -> None:
        self.path = step + self.path

    def __str__(self) -> str:
        shown = repr(self.got)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        return f"{self.path.removeprefix('.')}: expected {self.wanted}, found {shown}"


@dataclass(frozen=True, slots=True)
class Codec:
    """Two conversions between Python and JSON values.

    `is_immutable` values cannot change in place: the same object is the same value.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    is_immutable: bool = False

    def to_bytes(self, value: Any, where: str) -> bytes:
        try:
            return to_json(self.encode(value)).encode()
        except Misfit as misfit:
            misfit.inside(where)
            raise StateError(str(misfit)) from None
        except (TypeError, ValueError, RecursionError) as error:
            message = f"{where}: cannot be written as JSON: {error}"
            raise StateError(message) from None

    def from_bytes(self, data: bytes, where: str) -> Any:
        try:
            return self.decode(from_json(data))
        except Misfit as misfit:
            misfit.inside(where)
            raise StateError(str(misfit)) from None
        except (ValueError, RecursionError) as error:
            message = f"{where}: stored bytes are not JSON: {error}"
            raise StateError(message) from None
