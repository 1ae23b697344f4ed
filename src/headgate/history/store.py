"""The store's writing side: a batch of the history's records and how far that was, or nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from headgate.core.identity import address_of
from headgate.history import schema
from headgate.history.errors import StoreError
from headgate.history.fold import Known, Row, Rows
from headgate.v1.turn_pb2 import HistoryRecord

REMEMBERED_INSTANCES = 50_000
"""Instances whose names are kept between batches, those used last: two queries less for each."""

ASKED_AT_ONCE = 500
"""Parameters of one query: SQLite takes 32,766 at most, and plans long lists slowly."""


@dataclass(slots=True)
class Position:
    """How far a partition has been read, and until when it is closed."""

    next_offset: int = 0
    closed_us: int = 0
    late_turns: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """Records of one partition in their order, and the offset after them. ``values`` are theirs."""

    partition: int
    values: Sequence[bytes]
    next_offset: int


class Store:
    """Writes what is read of the history. One writer at a time; who comes second is refused."""

    def __init__(self, engine: Engine) -> None:
        """Take over a store whose tables are there (`headgate.history.opening`)."""
        self._engine = engine
        self._known: OrderedDict[str, Known] = OrderedDict()
        with engine.connect() as reading:
            self._next_id = 1 + (reading.scalar(select(func.max(schema.instances.c.id))) or 0)

    def positions(self, partitions: int) -> dict[int, Position]:
        """Return how far each partition has been read.

        Raises:
            StoreError: the store is of a topic with another number of partitions.
        """
        with self._engine.begin() as writing:
            found = {
                row.partition: Position(row.next_offset, row.closed_us, row.late_turns)
                for row in writing.execute(select(schema.positions))
            }
            if not found:
                found = {number: Position() for number in range(partitions)}
                blank = {"next_offset": 0, "closed_us": 0, "late_turns": 0}
                rows = [{"partition": number, **blank} for number in found]
                writing.execute(schema.positions.insert(), rows)
        if len(found) != partitions:
            message = (
                f"the store was made from a history of {len(found)} partitions, this one has "
                f"{partitions}; name another store, or see `headgate history rebuild`"
            )
            raise StoreError(message)
        return found

    def write(self, reads: Iterable[Read], positions: Mapping[int, Position]) -> None:
        """Write what was read, all of it or nothing; ``positions`` go on with it.

        Raises:
            StoreError: another writer was here since.
        """
        given = [read for read in reads if read.next_offset > positions[read.partition].next_offset]
        after: dict[int, Position] = {}
        try:
            with self._engine.begin() as writing:
                rows = Rows()
                for read in given:
                    before = positions[read.partition]
                    self._advance(writing, read, before)
                    after[read.partition] = self._take(writing, rows, read, before)
                self._write_rows(writing, rows)
                self._write_positions(writing, after)
        except BaseException:
            # What is known is ahead of what was written.
            self._known.clear()
            raise
        for number, position in after.items():
            here = positions[number]
            here.next_offset = position.next_offset
            here.closed_us, here.late_turns = position.closed_us, position.late_turns
        while len(self._known) > REMEMBERED_INSTANCES:
            self._known.popitem(last=False)

    def _advance(self, writing: Connection, read: Read, before: Position) -> None:
        table = schema.positions
        # First of all, so that of two writers one waits here, and then finds itself late.
        moved = writing.execute(
            table.update()
            .where(table.c.partition == read.partition, table.c.next_offset == before.next_offset)
            .values(next_offset=read.next_offset)
        )
        if moved.rowcount != 1:
            message = (
                f"another process writes to this store: partition {read.partition} is not at "
                f"offset {before.next_offset} any more. One `headgate history serve` per store"
            )
            raise StoreError(message)

    def _take(self, writing: Connection, rows: Rows, read: Read, before: Position) -> Position:
        after = Position(read.next_offset, before.closed_us, before.late_turns)
        told = [HistoryRecord.FromString(value) for value in read.values]
        addresses = [address_of(each.outcome.agent_type, each.outcome.key) for each in told]
        self._learn(writing, {a for a, each in zip(addresses, told, strict=True) if _is_turn(each)})
        for raw, record, address in zip(read.values, told, addresses, strict=True):
            if record.HasField("closed"):
                after.closed_us = max(after.closed_us, record.closed.until_us)
            elif _is_turn(record):
                known = self._known.get(address)
                if known is None:
                    known = Known(self._next_id, address, read.partition)
                    self._next_id += 1
                    self._known[address] = known
                self._known.move_to_end(address)
                is_new = rows.add(known, record, raw)
                after.late_turns += is_new and record.at_us <= after.closed_us
        return after

    def _learn(self, reading: Connection, addresses: set[str]) -> None:
        wanted = sorted(address for address in addresses if address not in self._known)
        table, names = schema.instances, schema.names
        for first in range(0, len(wanted), ASKED_AT_ONCE):
            some = wanted[first : first + ASKED_AT_ONCE]
            by_id: dict[int, Known] = {}
            for row in reading.execute(select(table).where(table.c.address.in_(some))):
                known = Known(
                    row.id, row.address, row.partition, row.turn, row.at_us, row.is_complete
                )
                by_id[row.id] = self._known[row.address] = known
            for row in reading.execute(select(names).where(names.c.instance_id.in_(by_id))):
                known = by_id[row.instance_id]
                (known.values if row.kind == schema.VALUE else known.lists)[row.name] = row.now

    def _write_rows(self, writing: Connection, rows: Rows) -> None:
        cells = schema.cells
        known = [
            {
                "id": each.id,
                "address": each.address,
                "agent_type": each.address.partition("/")[0],
                "partition": each.partition,
                "turn": each.turn,
                "at_us": each.at_us,
                "is_complete": each.is_complete,
            }
            for each in rows.known.values()
        ]
        self._upsert(writing, schema.instances, known, ["turn", "at_us", "is_complete"])
        is_named = (cells.c.instance_id == bindparam("of")) & (cells.c.name == bindparam("named"))
        end = cells.update().values(to_us=bindparam("until"))
        is_value = (
            is_named & (cells.c.kind == schema.VALUE) & (cells.c.from_us == bindparam("since"))
        )
        is_item = is_named & (cells.c.kind == schema.ITEM) & (cells.c.to_us == schema.OPEN)
        for statement, given in (
            (schema.turns.insert(), rows.turns),
            (end.where(is_value), rows.ended_values),
            (end.where(is_item), rows.ended_lists),
            (cells.insert(), rows.cells),
            (schema.deletions.insert(), list(rows.deletions.values())),
        ):
            if given:
                writing.execute(statement, given)
        names = [
            {"instance_id": number, "name": name, "kind": kind, "now": now}
            for (number, name, kind), now in rows.names.items()
        ]
        self._upsert(writing, schema.names, names, ["now"])
        self._upsert(writing, schema.messages, rows.sent, ["receiver", "type", "data", "sent_us"])
        self._upsert(writing, schema.messages, rows.taken, ["taken_us"])

    def _upsert(
        self, writing: Connection, table: Table, rows: Sequence[Row], changed: Sequence[str]
    ) -> None:
        if not rows:
            return
        make: Any = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = make.insert(table)
        keys = [column.name for column in table.primary_key]
        writing.execute(
            statement.on_conflict_do_update(
                index_elements=keys, set_={name: statement.excluded[name] for name in changed}
            ),
            rows,
        )

    def _write_positions(self, writing: Connection, after: Mapping[int, Position]) -> None:
        table = schema.positions
        rows = [
            {"number": number, "closed": each.closed_us, "late": each.late_turns}
            for number, each in after.items()
        ]
        if rows:
            writing.execute(
                table.update()
                .where(table.c.partition == bindparam("number"))
                .values(closed_us=bindparam("closed"), late_turns=bindparam("late")),
                rows,
            )


def _is_turn(record: HistoryRecord) -> bool:
    """Tell whether a record is a turn: somebody else's in the topic is none."""
    return bool(record.outcome.agent_type) and record.outcome.turn > 0
