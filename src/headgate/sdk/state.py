"""Typed state over named bytes: load a dataclass from what is stored, find what changed.

A field that was never written has its default, and is written once it differs from it. Values
that the dataclass does not name are left alone. A change is found by comparing encoded bytes, so a
turn writes only the fields that it changed.
"""

import dataclasses
import difflib
import typing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from headgate.sdk.annotations import compile_codec, field_types
from headgate.sdk.codec import Codec
from headgate.sdk.errors import DefinitionError, StateError
from headgate.sdk.log import Log
from headgate.v1 import agent_pb2 as pb

S = TypeVar("S")


@dataclass
class NoState:
    """The state of an agent that keeps none."""


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    codec: Codec
    default: bytes
    # The default itself if it is immutable: a field that still holds it needs no encoding.
    unchanged: Any


class StateCodec(Generic[S]):
    """The codec of one state class, made once per agent.

    >>> @dataclass
    ... class Order:
    ...     status: str = "new"
    >>> StateCodec(Order).load(pb.State(values={"status": b'"paid"'})).state
    Order(status='paid')
    """

    def __init__(self, cls: type[S]) -> None:
        if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
            message = f"state must be a dataclass, not {cls!r}"
            raise DefinitionError(message)
        self.cls: type[S] = cls
        self.fields = frozenset(field.name for field in dataclasses.fields(cls))
        self.values: list[_Value] = []
        self.logs: list[tuple[str, Codec]] = []
        hints = field_types(cls)
        defaults = _defaults(cls)
        for field in dataclasses.fields(cls):
            where = f"{cls.__name__}.{field.name}"
            hint = hints[field.name]
            if not field.init:
                message = f"{where}: fields with init=False cannot be restored"
                raise DefinitionError(message)
            if typing.get_origin(hint) is Log or hint is Log:
                item = (typing.get_args(hint) or (Any,))[0]
                self.logs.append((field.name, compile_codec(item, where)))
                continue
            codec = compile_codec(hint, where)
            held = getattr(defaults, field.name)
            try:
                default = codec.to_bytes(held, where)
            except StateError as error:
                message = f"default of {error}"
                raise DefinitionError(message) from None
            unchanged = held if codec.is_immutable else _ABSENT
            self.values.append(_Value(field.name, codec, default, unchanged))

    def load(self, stored: pb.State) -> "Workspace[S]":
        """Decode stored state for one turn; StateError if it does not fit."""
        return Workspace(self, stored)


class Workspace(Generic[S]):
    """One turn's state: the dataclass, and the bytes it stood for when it was last settled."""

    __slots__ = ("_changed", "_codec", "_logs", "_settled", "_stored", "state")

    def __init__(self, codec: StateCodec[S], stored: pb.State) -> None:
        self._codec = codec
        values, logs = stored.values, stored.logs
        self._stored = values
        given: dict[str, Any] = {}
        # What each field held when last settled; _ABSENT where it may have changed in place.
        self._settled: list[Any] = []
        for value in codec.values:
            name = value.name
            held = value.unchanged
            if name in values:
                given[name] = made = value.codec.from_bytes(values[name], name)
                held = made if value.codec.is_immutable else _ABSENT
            self._settled.append(held)
        self._logs: list[Log[Any]] = []
        for name, item in codec.logs:
            if name in logs:
                window = logs[name]
                loaded: Log[Any] = Log._load(item, name, window.length, window.items)
            else:
                loaded = Log._load(item, name, 0, ())
            given[name] = loaded
            self._logs.append(loaded)
        self.state: S = codec.cls(**given)
        self._changed: dict[str, bytes] = {}

    def settle(self, state: S) -> None:
        """Keep what an event's handler made of the state; StateError if a value does not fit.

        Nothing is kept when it raises.
        """
        _refuse_strays(state, self._codec.fields)
        found: list[tuple[int, Any, bytes]] = []
        for place, value in enumerate(self._codec.values):
            held = getattr(state, value.name)
            if held is self._settled[place]:
                continue  # the same immutable object: nothing to encode
            found.append((place, held, value.codec.to_bytes(held, value.name)))
        for (name, _), log in zip(self._codec.logs, self._logs, strict=True):
            if getattr(state, name) is not log:
                message = f"{name}: a log cannot be replaced; append to it, or clear() it"
                raise StateError(message)
        for place, held, data in found:
            value = self._codec.values[place]
            if value.codec.is_immutable:
                self._settled[place] = held
            if data == self._stored.get(value.name, value.default):
                self._changed.pop(value.name, None)
            else:
                self._changed[value.name] = data
        for log in self._logs:
            log._settle()

    def mutations(self) -> list[pb.Mutation]:
        """What the settled state changes in the stored one."""
        found = [
            pb.Mutation(name=value.name, set=self._changed[value.name])
            for value in self._codec.values
            if value.name in self._changed
        ]
        for (name, _), log in zip(self._codec.logs, self._logs, strict=True):
            for item in log._changes[: log._settled]:
                if item is None:
                    found.append(pb.Mutation(name=name, delete=True))
                else:
                    found.append(pb.Mutation(name=name, append=item))
        return found


_ABSENT = object()


def _defaults(cls: type[S]) -> S:
    try:
        return cls()
    except TypeError as error:
        message = f"{cls.__name__}: every field of a state needs a default ({error})"
        raise DefinitionError(message) from None


def _refuse_strays(state: object, fields: frozenset[str]) -> None:
    """Raise StateError for an attribute that is no field: a misspelt one would be lost each turn.

    What begins with an underscore, or is defined on the class (a cached property), is the author's
    own and meant to go.
    """
    held = getattr(state, "__dict__", {})
    if len(held) <= len(fields):
        return
    for name in held:
        if name in fields or name.startswith("_") or hasattr(type(state), name):
            continue
        near = difflib.get_close_matches(name, fields, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        message = (
            f"{type(state).__name__} has no field {name!r}, and what is no field is not kept{hint}"
        )
        raise StateError(message)
