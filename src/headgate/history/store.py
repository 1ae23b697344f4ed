"""The store's writing side: a batch of the history's records and how far that was, or nothing."""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from headgate.history import schema
from headgate.history.errors import StoreError
from headgate.history.fold import Known, Row, Rows
from headgate.history.standing import OPEN
from headgate.history.told import Told, told_in

log = logging.getLogger(__name__)

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
    strange_records: int = 0
    begin_us: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """Records of one partition in their order, and the offset after them. ``values`` are theirs;
    ``offsets`` too, if anybody wants to hear of a strange one.
    """

    partition: int
    values: Sequence[bytes]
    next_offset: int
    offsets: Sequence[int] = ()


class Store:
    """Writes what is read of the history. One writer at a time: who began before is refused."""

    def __init__(self, engine: Engine) -> None:
        """Take a store whose tables are there (`headgate.history.opening`)."""
        self._engine = engine
        self._token = secrets.token_hex(8)
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._next_id = 0

    def positions(self, partitions: int) -> dict[int, Position]:
        """Take the store over, and return how far each partition has been read.

        Raises:
            StoreError: the store is of a topic with another number of partitions.
        """
        settings, instances = schema.settings, schema.instances
        with self._engine.begin() as writing:
            said = {"name": "writer", "value": self._token}
            self._upsert(writing, settings, [said], ["value"])
            # After that: whoever wrote until now writes no more.
            self._next_id = 1 + (writing.scalar(select(func.max(instances.c.id))) or 0)
            found = {
                row.partition: Position(*row[1:])
                for row in writing.execute(select(schema.positions))
            }
            if not found:
                found = {number: Position() for number in range(partitions)}
                rows = [{"partition": number, **asdict(each)} for number, each in found.items()]
                writing.execute(schema.positions.insert(), rows)
        if len(found) != partitions:
            message = (
                f"the store was made from a history of {len(found)} partitions, this one has "
                f"{partitions}; name another store, or see `headgate history rebuild`"
            )
            raise StoreError(message)
        return found

    def skip(self, partition: int, begin: int, positions: Mapping[int, Position]) -> None:
        """Note that a partition's beginning is gone, up to an offset: for a store that is new."""
        positions[partition].begin_us = schema.UNKNOWN
        self.write([Read(partition, (), begin)], positions)

    def write(self, reads: Iterable[Read], positions: Mapping[int, Position]) -> None:
        """Write what was read, all of it or nothing; ``positions`` go on with it.

        Raises:
            StoreError: another writer was here since.
        """
        given = [read for read in reads if read.next_offset > positions[read.partition].next_offset]
        if not given:
            return
        after: dict[int, Position] = {}
        try:
            with self._engine.begin() as writing:
                self._hold(writing)
                rows = Rows()
                for read in given:
                    after[read.partition] = self._take(
                        writing, rows, read, positions[read.partition]
                    )
                self._write_rows(writing, rows)
                self._write_positions(writing, after)
        except BaseException:
            # What is known is ahead of what was written.
            self._known.clear()
            raise
        for number, position in after.items():
            for each in fields(Position):
                setattr(positions[number], each.name, getattr(position, each.name))
        while len(self._known) > REMEMBERED_INSTANCES:
            self._known.popitem(last=False)

    def _hold(self, writing: Connection) -> None:
        """Keep others from writing until this batch is written."""
        table = schema.settings
        is_own = (table.c.name == "writer") & (table.c.value == self._token)
        held = writing.execute(table.update().where(is_own).values(value=self._token))
        if held.rowcount != 1:
            message = (
                "another `headgate history serve` has taken over this store, and writes it; this "
                "one goes on answering from it, but one per store is enough"
            )
            raise StoreError(message)

    def _take(self, writing: Connection, rows: Rows, read: Read, before: Position) -> Position:
        after = replace(before, next_offset=read.next_offset)
        told = [told_in(value, read.partition) for value in read.values]
        self._learn(writing, {each.address for each in told if isinstance(each, Told)})
        for place, (raw, each) in enumerate(zip(read.values, told, strict=True)):
            if isinstance(each, str):
                problem = each
            elif isinstance(each, Told):
                problem = self._add(rows, each, raw, after)
            else:
                problem = ""
                after.closed_us = max(after.closed_us, each.until_us)
            if problem:
                after.strange_records += 1
                offset = read.offsets[place] if read.offsets else "?"
                log.warning("history/%d@%s is passed over: %s", read.partition, offset, problem)
            elif after.begin_us == schema.UNKNOWN and not isinstance(each, str):
                after.begin_us = each.at_us if isinstance(each, Told) else each.until_us
        return after

    def _add(self, rows: Rows, told: Told, raw: bytes, after: Position) -> str:
        known = self._known.get(told.address)
        if known is None:
            known = Known(self._next_id, told.address, told.partition)
            self._next_id += 1
            self._known[told.address] = known
        self._known.move_to_end(told.address)
        if told.turn > known.turn and told.at_us <= known.at_us:
            return f"turn {told.turn} of {told.address} is not dated after the one before"
        is_new = rows.add(known, told.record, raw)
        after.late_turns += is_new and told.at_us <= after.closed_us
        return ""

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
                "is_thinned": False,
            }
            for each in rows.known.values()
        ]
        self._upsert(writing, schema.instances, known, ["turn", "at_us", "is_complete"])
        is_named = (cells.c.instance_id == bindparam("of")) & (cells.c.name == bindparam("named"))
        end = cells.update().values(to_us=bindparam("until"))
        is_value = (
            is_named & (cells.c.kind == schema.VALUE) & (cells.c.from_us == bindparam("since"))
        )
        is_item = is_named & (cells.c.kind == schema.ITEM) & (cells.c.to_us == OPEN)
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
        names = [each.name for each in fields(Position)]
        rows = [
            {"number": number, **{f"new_{name}": getattr(each, name) for name in names}}
            for number, each in after.items()
        ]
        changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        writing.execute(
            table.update().where(table.c.partition == bindparam("number")).values(changed), rows
        )
