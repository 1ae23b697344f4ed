"""An instance as Redis has it: the fields of its hash, and back in time what they had been."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.redis.keys import ITEM, LENGTH, VALUE

Fields = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Seen:
    """The state that a turn of an instance left.

    turn: 0 if it has taken none; at_us: that turn's time, microseconds since the epoch.
    values, lists: by name, as the agent stored them: JSON, mostly.
    """

    address: str
    turn: int
    at_us: int
    revision: str
    values: Mapping[str, bytes]
    lists: Mapping[str, Sequence[bytes]]
    is_parked: bool
    is_incomplete: bool

    def value(self, name: str, default: Any = None) -> Any:
        """Return a value decoded from JSON (text, where it is none); `default` if there is none."""
        raw = self.values.get(name)
        return default if raw is None else _decoded(raw)

    def items(self, name: str) -> list[Any]:
        """Return a list's items, decoded as values are; empty if it is not there."""
        return [_decoded(raw) for raw in self.lists.get(name, ())]


def seen_in(address: str, fields: Fields) -> Seen:
    """Return the instance that a hash describes.

    >>> seen_in("order/1", {b"turn": b"2", b"=status": b'"paid"'}).value("status")
    'paid'
    """
    values: dict[str, bytes] = {}
    lists: dict[str, list[bytes]] = {}
    for field, raw in fields.items():
        name = field[1:].decode()
        match chr(field[0]):
            case kind if kind == VALUE:
                values[name] = raw
            case kind if kind == LENGTH:
                prefix = f"{ITEM}{name}/"
                lists[name] = [fields[f"{prefix}{at}".encode()] for at in range(int(raw))]
    return Seen(
        address,
        turn=int(fields.get(b"turn", 0)),
        at_us=int(fields.get(b"at_us", 0)),
        revision=fields.get(b"revision", b"").decode(),
        values=values,
        lists=lists,
        is_parked=b"parked" in fields,
        is_incomplete=b"incomplete" in fields,
    )


@dataclass(frozen=True, slots=True)
class Before:
    """What a turn's fields had been: `+FIELD` and its value, `-FIELD` if there was none."""

    at_us: int
    fields: Fields


def undone(fields: Fields, past: Sequence[Before], at_us: int) -> Fields:
    """Return an instance's fields as of a moment. past: its turns since, in their order. Newer ones
    than the fields have may be among them: what those found is what there is.
    """
    made = dict(fields)
    for before in reversed(past):
        if before.at_us <= at_us:
            continue
        for field, raw in before.fields.items():
            if field.startswith(b"+"):
                made[field[1:]] = raw
            else:
                made.pop(field[1:], None)
    return made


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
