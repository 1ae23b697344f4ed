"""The store's reading side: what instances knew at a moment."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, case, func, or_, select

from headgate.core.identity import split_address
from headgate.core.render import rfc3339
from headgate.history import schema
from headgate.history.believed import believed
from headgate.history.conditions import Test, candidates, holds
from headgate.history.errors import MomentError, NeverSeenError, NotClosedError, RemovedError
from headgate.v1.history_pb2 import (
    HistoryPosition,
    InFlightMessage,
    Moment,
    PartitionPosition,
    StateAsOf,
    TurnAsOf,
)
from headgate.v1.turn_pb2 import HistoryRecord

AT_ONCE = 2_000
"""Rows that one fetch of a long answer brings."""


class Reader:
    """Answers questions to a store; each answer is of one state of the store."""

    def __init__(self, engine: Engine) -> None:
        """Read a store (`headgate.history.opening`)."""
        self._engine = engine

    def position(self) -> HistoryPosition:
        """Return how far the store has read; ``end_offset`` is not known here."""
        with self._reading() as reading:
            made = HistoryPosition(closed_us=closed_until(reading), horizon_us=_horizon(reading))
            made.instances = reading.scalar(select(func.count()).select_from(schema.instances)) or 0
            made.turns = reading.scalar(select(func.count()).select_from(schema.turns)) or 0
            table = schema.positions
            for row in reading.execute(select(table).order_by(table.c.partition)):
                made.partitions.append(
                    PartitionPosition(
                        partition=row.partition,
                        next_offset=row.next_offset,
                        closed_us=row.closed_us,
                        late_turns=row.late_turns,
                        strange_records=row.strange_records,
                        lacks_beginning=row.begin_us != 0,
                    )
                )
            return made

    def state(self, address: str, moment: Moment | None = None) -> StateAsOf:
        """Return an instance's state at a moment; without one, the newest.

        Raises:
            NeverSeenError, NotClosedError, RemovedError.
        """
        moment = moment or Moment()
        with self._reading() as reading:
            instance = _instance(reading, address)
            at_us = self._resolved(reading, instance, moment)
            made = StateAsOf(is_incomplete=not instance.is_complete)
            made.agent_type, made.key = split_address(address)
            made.turn, made.at_us = _last_turn(reading, instance, at_us)
            if moment.valid_us:
                _refuse_thinned(instance)
                believed(reading, instance.id, made, known_us=at_us, valid_us=moment.valid_us)
            else:
                _fill(made, _cells_at(reading, instance.id, at_us))
            return made

    def turns(
        self, address: str, *, first: int = 0, last: int = 0, newest: int = 0
    ) -> list[TurnAsOf]:
        """Return an instance's turns, oldest first; 0 is no bound.

        Raises:
            NeverSeenError: there is no such instance.
        """
        table = schema.turns
        with self._reading() as reading:
            instance = _instance(reading, address)
            wanted = select(table.c.record, table.c.valid_us).where(
                table.c.instance_id == instance.id, table.c.turn >= first
            )
            if last:
                wanted = wanted.where(table.c.turn <= last)
            if newest:
                wanted = wanted.order_by(table.c.turn.desc()).limit(newest)
                rows = list(reading.execute(wanted))[::-1]
            else:
                rows = list(reading.execute(wanted.order_by(table.c.turn)))
            return [
                TurnAsOf(record=HistoryRecord.FromString(row.record), valid_us=row.valid_us)
                for row in rows
            ]

    def snapshot(
        self,
        at_us: int = 0,
        *,
        agent_type: str = "",
        where: Sequence[Test] = (),
        only: Sequence[str] = (),
    ) -> Generator[StateAsOf, None, None]:
        """Yield the states of all instances at a closed moment; 0: the newest one.

        only: names of values; everything if there are none.

        Raises:
            NotClosedError, RemovedError.
        """
        cells, table = schema.cells, schema.instances
        with self._reading() as reading:
            at_us = self._closed(reading, at_us)
            turn = case(
                (table.c.at_us <= at_us, table.c.turn),
                else_=select(func.max(schema.turns.c.turn))
                .where(schema.turns.c.instance_id == table.c.id, schema.turns.c.at_us <= at_us)
                .correlate(table)
                .scalar_subquery(),
            )
            whose = select(table.c.id, table.c.address, table.c.is_complete, turn.label("turn"))
            around = and_(cells.c.from_us <= at_us, cells.c.to_us > at_us)
            wanted: Select[Any] = select(cells).where(around)
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
                    _fill(made, group[1])
                if all(holds(each, made.state) for each in where):
                    yield made

    def in_flight(self, at_us: int = 0) -> Generator[InFlightMessage, None, None]:
        """Yield messages that were sent by a closed moment, and not taken by then.

        Raises:
            NotClosedError, RemovedError.
        """
        table = schema.messages
        with self._reading() as reading:
            at_us = self._closed(reading, at_us)
            wanted = select(table).where(
                table.c.sent_us > 0,
                table.c.sent_us <= at_us,
                or_(table.c.taken_us == 0, table.c.taken_us > at_us),
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

    def closed_at(self, at_us: int) -> int:
        """Return a closed moment: the given one, or for 0 the newest.

        Raises:
            NotClosedError, RemovedError.
        """
        with self._reading() as reading:
            return self._closed(reading, at_us)

    def _closed(self, reading: Connection, at_us: int) -> int:
        until = closed_until(reading)
        _check_horizon(reading, at_us or until)
        if at_us > until or not until:
            raise NotClosedError(_not_closed(at_us, until))
        return at_us or until

    def _resolved(self, reading: Connection, instance: Any, moment: Moment) -> int:
        """Return the time that a moment means for one instance; all that has come, for none."""
        if moment.turn:
            table = schema.turns
            at_us = reading.scalar(
                select(table.c.at_us).where(
                    table.c.instance_id == instance.id, table.c.turn == moment.turn
                )
            )
            if at_us is None:
                message = (
                    f"{instance.address} has no turn {moment.turn} yet: its last is {instance.turn}"
                    if moment.turn > instance.turn
                    else f"turn {moment.turn} of {instance.address} is not kept here"
                )
                raise NeverSeenError(message)
            return int(at_us)
        if not moment.at_us:
            return schema.OPEN - 1
        if moment.at_us < 0:
            message = "a moment is after 1970"
            raise MomentError(message)
        _check_horizon(reading, moment.at_us)
        table = schema.positions
        # Its own partition is enough: no other one holds turns of it.
        until = reading.scalar(
            select(table.c.closed_us).where(table.c.partition == instance.partition)
        )
        if moment.at_us > (until or 0):
            raise NotClosedError(_not_closed(moment.at_us, until or 0))
        return moment.at_us

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as reading, reading.begin():
            yield reading


def _check_horizon(reading: Connection, at_us: int) -> None:
    horizon = _horizon(reading)
    if at_us < horizon:
        message = (
            f"what was before {rfc3339(horizon)} is not kept here (history.keep, or the topic had "
            "no more when the store was made); ask for a later moment"
        )
        raise RemovedError(message)


def _horizon(reading: Connection) -> int:
    settings, positions = schema.settings, schema.positions
    kept = reading.scalar(select(settings.c.value).where(settings.c.name == "horizon_us"))
    begun = reading.scalar(select(func.max(positions.c.begin_us)))
    return max(int(kept or 0), begun or 0, 0)


def closed_until(reading: Connection) -> int:
    """Return the newest moment that is closed everywhere, 0 if none is."""
    table = schema.positions
    return int(reading.scalar(select(func.min(table.c.closed_us))) or 0)


def _instance(reading: Connection, address: str) -> Any:
    table = schema.instances
    found = reading.execute(select(table).where(table.c.address == address)).one_or_none()
    if found is None:
        message = f"the history has no turn of {address}"
        raise NeverSeenError(message)
    return found


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


def _fill(made: StateAsOf, rows: Any) -> None:
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


def _not_closed(at_us: int, until: int) -> str:
    if not until:
        return "no moment is closed yet: the store has read nothing that says so"
    return (
        f"{rfc3339(at_us)} is not closed yet: turns until {rfc3339(until)} are known to be all. "
        "Wait for it (--wait; Prefer: wait=10), or ask for an earlier moment"
    )
