"""What one instance knew at a moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, select

from headgate.core.identity import split_address
from headgate.history import schema
from headgate.history.believed import believed
from headgate.history.errors import NeverSeenError, RemovedError
from headgate.history.moments import resolved
from headgate.v1.history_pb2 import Moment, StateAsOf


def state_at(reading: Connection, address: str, moment: Moment) -> StateAsOf:
    """Return an instance's state at a moment; see `Reader.state`."""
    instance = find_instance(reading, address)
    at_us = resolved(reading, instance, moment)
    made = StateAsOf(is_incomplete=not instance.is_complete)
    made.agent_type, made.key = split_address(address)
    made.turn, made.at_us = _last_turn(reading, instance, at_us)
    if moment.valid_us:
        _refuse_thinned(instance)
        believed(reading, instance.id, made, known_us=at_us, valid_us=moment.valid_us)
    else:
        fill(made, _cells_at(reading, instance.id, at_us))
    return made


def find_instance(reading: Connection, address: str) -> Any:
    """Return an instance's row; raises NeverSeenError."""
    table = schema.instances
    found = reading.execute(select(table).where(table.c.address == address)).one_or_none()
    if found is None:
        message = f"the history has no turn of {address}"
        raise NeverSeenError(message)
    return found


def fill(made: StateAsOf, rows: Iterable[Any]) -> None:
    """Fill in cells of one moment, those of each list in their order."""
    for row in rows:
        if row.name == schema.PARKED:
            made.parked.ParseFromString(row.value)
            continue
        if row.kind == schema.VALUE:
            made.state.values[row.name] = row.value
        else:
            log = made.state.logs[row.name]
            log.items.append(row.value)
            log.length = len(log.items)
        made.changed[row.name] = max(row.turn, made.changed.get(row.name, 0))


def _refuse_thinned(instance: Any) -> None:
    if instance.is_thinned or not instance.is_complete:
        message = (
            f"{instance.address}: what was true at a time needs all of its turns, and some are not "
            "kept here (history.keep); --as-of asks what was known"
        )
        raise RemovedError(message)


def _last_turn(reading: Connection, instance: Any, at_us: int) -> tuple[int, int]:
    if instance.at_us <= at_us:
        return instance.turn, instance.at_us
    table = schema.turns
    found = reading.execute(
        select(table.c.turn, table.c.at_us)
        .where(table.c.instance_id == instance.id, table.c.at_us <= at_us)
        .order_by(table.c.at_us.desc())
        .limit(1)
    ).one_or_none()
    return (found.turn, found.at_us) if found else (0, 0)


def _cells_at(reading: Connection, instance_id: int, at_us: int) -> list[Any]:
    """Return the cells around a moment. Each name leads to its own: however many turns there were,
    only what is answered is read.
    """
    names, cells = schema.names, schema.cells
    rows: list[Any] = []
    for name in reading.execute(select(names).where(names.c.instance_id == instance_id)):
        own = and_(
            cells.c.instance_id == instance_id,
            cells.c.name == name.name,
            cells.c.kind == name.kind,
            cells.c.from_us <= at_us,
        )
        if name.kind == schema.VALUE:
            newest = select(cells).where(own).order_by(cells.c.from_us.desc()).limit(1)
            rows += [row for row in reading.execute(newest) if row.to_us > at_us]
        else:
            items = select(cells).where(own, cells.c.to_us > at_us)
            rows += reading.execute(items.order_by(cells.c.from_us, cells.c.place))
    return rows
