"""What all instances knew at one closed moment, and what was under way between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, case, select

from headgate.core.identity import split_address
from headgate.history import schema
from headgate.history.conditions import Test, candidates, holds
from headgate.history.instance import fill
from headgate.history.moments import closed
from headgate.history.standing import stood_at
from headgate.v1.history_pb2 import InFlightMessage, StateAsOf

AT_ONCE = 2_000
"""Rows that one fetch of a long answer brings."""


def states_at(
    reading: Connection,
    at_us: int,
    *,
    agent_type: str,
    where: Sequence[Test],
    only: Sequence[str],
) -> Iterator[StateAsOf]:
    """Yield the states of all instances; see `Reader.snapshot`."""
    cells, table = schema.cells, schema.instances
    at_us = closed(reading, at_us)
    turn = case(
        (table.c.at_us <= at_us, table.c.turn),
        else_=select(schema.turns.c.turn)
        .where(schema.turns.c.instance_id == table.c.id, schema.turns.c.at_us <= at_us)
        .order_by(schema.turns.c.at_us.desc())
        .limit(1)
        .correlate(table)
        .scalar_subquery(),
    )
    whose = select(table.c.id, table.c.address, table.c.is_complete, turn.label("turn"))
    wanted: Select[Any] = select(cells).where(stood_at(cells.c.from_us, cells.c.to_us, at_us))
    tested = [candidates(each, at_us) for each in where]
    for some in tested:
        whose = whose.where(table.c.id.in_(some))
        wanted = wanted.where(cells.c.instance_id.in_(some))
    if agent_type:
        whose = whose.where(table.c.agent_type == agent_type)
        of_type = select(table.c.id).where(table.c.agent_type == agent_type)
        wanted = wanted.where(cells.c.instance_id.in_(of_type))
    if only:
        names = {*only, *(each.name for each in where), schema.PARKED}
        wanted = wanted.where(cells.c.name.in_(names), cells.c.kind == schema.VALUE)
    wanted = wanted.order_by(
        cells.c.instance_id, cells.c.kind, cells.c.name, cells.c.from_us, cells.c.place
    )
    stream = reading.execution_options(yield_per=AT_ONCE).execute(wanted)
    grouped = groupby(stream, key=lambda row: row.instance_id)
    group = next(grouped, None)
    for instance in reading.execute(whose.order_by(table.c.id)):
        while group is not None and group[0] < instance.id:
            group = next(grouped, None)
        if not instance.turn:
            continue
        made = StateAsOf(turn=instance.turn, is_incomplete=not instance.is_complete)
        made.agent_type, made.key = split_address(instance.address)
        made.at_us = at_us
        if group is not None and group[0] == instance.id:
            fill(made, group[1])
        if all(holds(each, made.state) for each in where):
            yield made


def in_flight_at(reading: Connection, at_us: int) -> Iterator[InFlightMessage]:
    """Yield the messages that are under way; see `Reader.in_flight`."""
    table = schema.messages
    at_us = closed(reading, at_us)
    wanted = select(table).where(
        table.c.sent_us > 0, stood_at(table.c.sent_us, table.c.taken_us, at_us)
    )
    for row in reading.execute(wanted.order_by(table.c.sent_us, table.c.id)):
        yield InFlightMessage(
            id=row.id,
            sender=row.sender,
            receiver=row.receiver,
            type=row.type,
            data=row.data,
            sent_us=row.sent_us,
        )
