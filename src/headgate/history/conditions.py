"""Conditions on the state: `status="running"`, `customer.city="Rome"`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from headgate.history import schema
from headgate.history.errors import MomentError
from headgate.v1.agent_pb2 import State

ABSENT: Any = object()
"""JSON's null is a value like others."""


@dataclass(frozen=True, slots=True)
class Test:
    """A value of the state, or what is at a path of keys in it, equals another."""

    name: str
    path: tuple[str, ...]
    equals: Any


def read_test(path: str, equals: str) -> Test:
    """Read a condition; ``equals`` is JSON.

    >>> read_test("customer.city", '"Rome"')
    Test(name='customer', path=('city',), equals='Rome')

    Raises:
        MomentError: it is none.
    """
    name, *keys = path.split(".")
    if not name:
        message = f"{path!r} names no value of the state; a path is such as customer.city"
        raise MomentError(message)
    try:
        return Test(name, tuple(keys), json.loads(equals))
    except (ValueError, RecursionError) as error:
        message = f"{path}: {equals!r} is not JSON; text needs its quotes"
        raise MomentError(message) from error


def read_where(text: str) -> tuple[str, str]:
    """Take NAME=VALUE apart; a value that is not JSON is text.

    >>> read_where("customer.city=Rome"), read_where("n=3")
    (('customer.city', '"Rome"'), ('n', '3'))

    Raises:
        MomentError: there is no "=".
    """
    path, is_there, value = text.partition("=")
    if not is_there or not path:
        message = f"{text!r} is no condition: write NAME=VALUE, such as status=running"
        raise MomentError(message)
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return path, json.dumps(value)
    return path, value


def value_at(raw: bytes, path: Sequence[str]) -> Any:
    """Return what is at a path of keys in a value; ABSENT if nothing is, or it is not JSON.

    >>> value_at(b'{"city": "Rome"}', ["city"])
    'Rome'
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return ABSENT
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return ABSENT
        value = value[key]
    return value


def candidates(test: Test, at_us: int) -> Select[Any]:
    """Select the instances that may pass: the index knows whole values, `holds` decides."""
    cells = schema.cells
    found = select(cells.c.instance_id).where(
        cells.c.name == test.name,
        cells.c.kind == schema.VALUE,
        cells.c.from_us <= at_us,
        cells.c.to_us > at_us,
    )
    if not test.path and isinstance(test.equals, str | bool):
        # However JSON writes it, escapes that nobody needs apart. Numbers have many forms.
        written = {json.dumps(test.equals), json.dumps(test.equals, ensure_ascii=False)}
        raw = [each.encode(errors="surrogatepass") for each in written]
        found = found.where(cells.c.value.in_(raw))
    return found


def holds(test: Test, state: State) -> bool:
    """Tell whether a state passes."""
    raw = state.values.get(test.name)
    value = ABSENT if raw is None else value_at(raw, test.path)
    if value is ABSENT:
        return False
    # JSON tells true from 1; Python does not.
    return bool(value == test.equals) and isinstance(value, bool) == isinstance(test.equals, bool)
