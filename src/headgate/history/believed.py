"""The second axis: what was believed at one moment to have been true at another.

A turn is about the time that its events name (`valid`), and was recorded at its own. Turns that
were recorded by the first moment are put in the order of what they are about; those about the time
until the second one make the state.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from headgate.history import schema
from headgate.v1.history_pb2 import StateAsOf


def believed(
    reading: Connection, instance_id: int, made: StateAsOf, *, known_us: int, valid_us: int
) -> None:
    """Fill in the state of what is known at one moment, true at another; microseconds."""
    cells, deletions = schema.cells, schema.deletions
    wrote = select(cells).where(
        cells.c.instance_id == instance_id,
        cells.c.name != schema.PARKED,
        cells.c.from_us <= known_us,
        cells.c.valid_us <= valid_us,
    )
    deleted = select(deletions).where(
        deletions.c.instance_id == instance_id,
        deletions.c.at_us <= known_us,
        deletions.c.valid_us <= valid_us,
    )
    # Of one turn, deletions come first: what it wrote and deleted has no cell.
    steps: list[tuple[tuple[int, int, int, int], Any]] = [
        ((row.valid_us, row.from_us, 1, row.place), row) for row in reading.execute(wrote)
    ]
    steps += [((row.valid_us, row.at_us, 0, 0), row) for row in reading.execute(deleted)]
    for (_, _, is_written, _), row in sorted(steps, key=lambda step: step[0]):
        if not is_written:
            made.state.values.pop(row.name, None)
            made.state.logs.pop(row.name, None)
            made.changed.pop(row.name, None)
            continue
        if row.kind == schema.VALUE:
            made.state.values[row.name] = row.value
        else:
            log = made.state.logs[row.name]
            log.items.append(row.value)
            log.length = len(log.items)
        made.changed[row.name] = row.turn
