"""Which turn made each part of a state what it was at a moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from headgate.history import schema
from headgate.history.conditions import ABSENT, value_at
from headgate.history.errors import MomentError, NoSuchPathError
from headgate.history.instance import find_instance, state_at
from headgate.history.standing import stood_at
from headgate.v1.history_pb2 import Explained, Explanation, Moment, StateAsOf, TurnAsOf
from headgate.v1.turn_pb2 import HistoryRecord

MOST_LOOKED_AT = 10_000
"""Versions of a value, for one path in it: a second of a thread, of which eight answer all."""

ASKED_AT_ONCE = 500

MOST_NAMED, MOST_SHOWN = 20, 100
"""Names, and characters of a path, in a refusal: over gRPC it travels in a header of 8 kB."""


def explanation_at(
    reading: Connection, address: str, moment: Moment, path: str = ""
) -> Explanation:
    """Return what made an instance's state; see `Reader.explain`."""
    if moment.valid_us:
        message = "what is believed of a time has no one turn that made it: leave valid_at out"
        raise MomentError(message)
    instance = find_instance(reading, address)
    state = state_at(reading, address, moment)
    made = Explanation(
        agent_type=state.agent_type,
        key=state.key,
        turn=state.turn,
        at_us=state.at_us,
        is_incomplete=state.is_incomplete,
    )
    if path and path not in state.changed:
        made.parts.append(_part(reading, instance, state, path))
    else:
        names = [path] if path else sorted(state.changed)
        made.parts.extend(_whole(state, name) for name in names)
    made.turns.extend(_turns(reading, instance.id, sorted({each.turn for each in made.parts})))
    return made


def _whole(state: StateAsOf, name: str) -> Explained:
    made = Explained(path=name, turn=state.changed[name])
    if name in state.state.values:
        made.value = state.state.values[name]
    else:
        made.list.CopyFrom(state.state.logs[name])
    return made


def _part(reading: Connection, instance: Any, state: StateAsOf, path: str) -> Explained:
    # The longest name that is there: names may have dots of their own.
    for name in sorted(state.changed, key=len, reverse=True):
        if not path.startswith(f"{name}."):
            continue
        keys = path[len(name) + 1 :].split(".")
        if name in state.state.values:
            found = _value(reading, instance, state, name, keys)
        else:
            found = _item(reading, instance, state, name, keys)
        if found is not None:
            found.path = path
            return found
    there = ", ".join(sorted(state.changed)[:MOST_NAMED]) or "none"
    message = f"{instance.address} has no {path[:MOST_SHOWN]!r} there; its names are: {there}"
    message += ", ..." if len(state.changed) > MOST_NAMED else ""
    raise NoSuchPathError(message)


def _value(
    reading: Connection, instance: Any, state: StateAsOf, name: str, keys: Sequence[str]
) -> Explained | None:
    """Go back from version to version for as long as the path leads to the same."""
    value = value_at(state.state.values[name], keys)
    if value is ABSENT:
        return None
    text = json.dumps(value, sort_keys=True)
    made = Explained(value=json.dumps(value).encode())
    cells = schema.cells
    versions = (
        select(cells.c.from_us, cells.c.to_us, cells.c.turn, cells.c.value)
        .where(
            cells.c.instance_id == instance.id,
            cells.c.name == name,
            cells.c.kind == schema.VALUE,
            cells.c.from_us <= state.at_us,
        )
        .order_by(cells.c.from_us.desc())
        .limit(MOST_LOOKED_AT)
    )
    since_us, looked_at = 0, 0
    for row in reading.execute(versions.execution_options(yield_per=100)):
        then = value_at(row.value, keys)
        # JSON tells true from 1; Python does not.
        is_same = then is not ABSENT and json.dumps(then, sort_keys=True) == text
        # Between two that do not meet it had been deleted.
        if not is_same or (since_us and row.to_us != since_us):
            return made
        since_us, made.turn = row.from_us, row.turn
        looked_at += 1
    is_all = not instance.is_thinned and instance.is_complete
    made.may_be_older = looked_at == MOST_LOOKED_AT or not is_all
    return made


def _item(
    reading: Connection, instance: Any, state: StateAsOf, name: str, keys: Sequence[str]
) -> Explained | None:
    index = keys[0]
    if len(keys) > 1 or not (index.isascii() and index.isdecimal()) or len(index) > 18:
        return None
    cells = schema.cells
    found = reading.execute(
        select(cells.c.value, cells.c.turn)
        .where(
            cells.c.instance_id == instance.id,
            cells.c.name == name,
            cells.c.kind == schema.ITEM,
            stood_at(cells.c.from_us, cells.c.to_us, state.at_us),
        )
        .order_by(cells.c.from_us, cells.c.place)
        .offset(int(index))
        .limit(1)
    ).one_or_none()
    return None if found is None else Explained(value=found.value, turn=found.turn)


def _turns(reading: Connection, instance_id: int, numbers: Sequence[int]) -> list[TurnAsOf]:
    table = schema.turns
    found: list[TurnAsOf] = []
    for first in range(0, len(numbers), ASKED_AT_ONCE):
        some = numbers[first : first + ASKED_AT_ONCE]
        wanted = select(table.c.record, table.c.valid_us).where(
            table.c.instance_id == instance_id, table.c.turn.in_(some)
        )
        found += [
            TurnAsOf(record=HistoryRecord.FromString(row.record), valid_us=row.valid_us)
            for row in reading.execute(wanted.order_by(table.c.turn))
        ]
    return found
