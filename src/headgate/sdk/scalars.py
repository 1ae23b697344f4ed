"""Codecs of values without parts."""

import base64
import binascii
import enum
from datetime import datetime
from typing import Any

from headgate.sdk.codec import Codec, Misfit


def same(value: Any) -> Any:
    return value


def _exactly(wanted: type, *also: type) -> Codec:
    accepted = (wanted, *also)

    def check(value: Any) -> Any:
        if type(value) in accepted:
            return value
        # bool is an int to Python but not to JSON; other subclasses (str enums) pass.
        if not isinstance(value, accepted) or isinstance(value, bool):
            raise Misfit(value, wanted.__name__)
        return value

    return Codec(check, check, is_immutable=True)


def _bytes_codec() -> Codec:
    def encode(value: Any) -> str:
        if not isinstance(value, bytes):
            raise Misfit(value, "bytes")
        return base64.b64encode(value).decode()

    def decode(value: Any) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, binascii.Error, ValueError):
            raise Misfit(value, "base64 text") from None

    return Codec(encode, decode, is_immutable=True)


def _datetime_codec() -> Codec:
    def encode(value: Any) -> str:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise Misfit(value, "datetime with a time zone")
        return value.isoformat()

    def decode(value: Any) -> datetime:
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise Misfit(value, "ISO 8601 time") from None

    return Codec(encode, decode, is_immutable=True)


SCALARS: dict[Any, Codec] = {
    str: _exactly(str),
    int: _exactly(int),
    float: _exactly(float, int),
    bool: _exactly(bool),
    type(None): _exactly(type(None)),
    None: _exactly(type(None)),
    bytes: _bytes_codec(),
    datetime: _datetime_codec(),
}


def one_of(choices: tuple[Any, ...]) -> Codec:
    def check(value: Any) -> Any:
        if value not in choices:
            raise Misfit(value, f"one of {choices}")
        return value

    return Codec(check, check, is_immutable=True)


def enum_codec(cls: type[enum.Enum]) -> Codec:
    def encode(value: Any) -> Any:
        if not isinstance(value, cls):
            raise Misfit(cls.__name__, value)
        return value.value

    def decode(value: Any) -> enum.Enum:
        try:
            return cls(value)
        except ValueError:
            raise Misfit(value, f"a value of {cls.__name__}") from None

    return Codec(encode, decode, is_immutable=True)


def optional(inner: Codec) -> Codec:
    def encode(value: Any) -> Any:
        return None if value is None else inner.encode(value)

    def decode(value: Any) -> Any:
        return None if value is None else inner.decode(value)

    return Codec(encode, decode, inner.is_immutable)
