"""JSON codecs compiled from type annotations: what the fields of a state may be made of.

Supported: str, int, float, bool, None, bytes (base64), datetime (with a time zone), enums (by
value), Literal, list, dict with str keys, Optional, nested dataclasses, and Any (JSON as it is).

Encoding checks types as strictly as decoding does: a value that could be written but never read
again would poison its instance for good. JSON fields that a nested dataclass does not know are
kept and written back (so that an older revision loses nothing of a newer one's state), unless the
class has __slots__, which leaves no place to keep them.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from typing import Any

from headgate.sdk.codec import Codec, Misfit
from headgate.sdk.errors import DefinitionError
from headgate.sdk.scalars import SCALARS, enum_codec, one_of, optional, same

_UNKNOWN = "__headgate_unknown__"


def compile_codec(annotation: Any, where: str, outer: tuple[type, ...] = ()) -> Codec:
    """Make the codec of a type, or raise DefinitionError that names the place.

    >>> compile_codec(list[int], "counts").decode([1, 2])
    [1, 2]
    """
    if annotation in (Any, object):
        return Codec(same, same)
    if annotation in SCALARS:
        return SCALARS[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return _list_codec(compile_codec(args[0], where, outer))
    if origin is dict and args[0] is str:
        return _dict_codec(compile_codec(args[1], where, outer))
    if origin is typing.Literal:
        return one_of(args)
    if origin in (typing.Union, types.UnionType) and len(args) == 2 and type(None) in args:
        (inner,) = (arg for arg in args if arg is not type(None))
        return optional(compile_codec(inner, where, outer))
    if annotation in (list, dict):
        return compile_codec(list[Any] if annotation is list else dict[str, Any], where)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return enum_codec(annotation)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        if annotation in outer:
            message = f"{where}: {annotation.__name__} contains itself; use dict[str, Any] there"
            raise DefinitionError(message)
        return _dataclass(annotation, where, (*outer, annotation))
    message = (
        f"{where}: {annotation!r} is no type that state can hold; see headgate.sdk.annotations"
    )
    raise DefinitionError(message)


def field_types(cls: type) -> dict[str, Any]:
    """Resolve the annotations of a dataclass, or raise DefinitionError."""
    try:
        return typing.get_type_hints(cls)
    except NameError as error:
        message = f"{cls.__name__}: cannot resolve an annotation: {error}"
        raise DefinitionError(message) from None


def _list_codec(item: Codec) -> Codec:
    def both(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def each(value: Any) -> list[Any]:
            if not isinstance(value, list):
                raise Misfit(value, "list")
            out: list[Any] = []
            try:
                for element in value:
                    out.append(convert(element))  # its length names the culprit
            except Misfit as misfit:
                misfit.inside(f"[{len(out)}]")
                raise
            return out

        return each

    return Codec(both(item.encode), both(item.decode))


def _dict_codec(item: Codec) -> Codec:
    def both(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def each(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise Misfit(value, "dict")
            out: dict[str, Any] = {}
            for key, element in value.items():
                if not isinstance(key, str):
                    raise Misfit(key, "str as key")
                try:
                    out[key] = convert(element)
                except Misfit as misfit:
                    misfit.inside(f"[{key!r}]")
                    raise
            return out

        return each

    return Codec(both(item.encode), both(item.decode))


def _dataclass(cls: type, where: str, outer: tuple[type, ...]) -> Codec:
    hints = field_types(cls)
    fields = [
        (field.name, compile_codec(hints[field.name], f"{where}.{field.name}", outer))
        for field in dataclasses.fields(cls)
        if field.init
    ]
    names = {name for name, _ in fields}

    def encode(value: Any) -> dict[str, Any]:
        if type(value) is not cls:
            raise Misfit(cls.__name__, value)
        out: dict[str, Any] = {}
        for name, codec in fields:
            try:
                out[name] = codec.encode(getattr(value, name))
            except Misfit as misfit:
                misfit.inside(f".{name}")
                raise
        return out | getattr(value, _UNKNOWN, {})

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit(value, f"object ({cls.__name__})")
        known: dict[str, Any] = {}
        for name, codec in fields:
            if name in value:
                try:
                    known[name] = codec.decode(value[name])
                except Misfit as misfit:
                    misfit.inside(f".{name}")
                    raise
        try:
            made = cls(**known)
        except TypeError as error:  # a field without a default is missing
            raise Misfit(value, f"{cls.__name__} ({error})") from None
        if len(known) < len(value) and hasattr(made, "__dict__"):
            unknown = {name: item for name, item in value.items() if name not in names}
            object.__setattr__(made, _UNKNOWN, unknown)
        return made

    return Codec(encode, decode)
