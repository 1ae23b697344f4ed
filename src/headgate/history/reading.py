"""The store's reading side: what instances knew at a moment."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, func, select

from headgate.history import schema
from headgate.history.conditions import Test
from headgate.history.explaining import explanation_at
from headgate.history.instance import find_instance, state_at
from headgate.history.moments import closed, closed_until, horizon_of
from headgate.history.snapshot import in_flight_at, states_at
from headgate.v1.history_pb2 import (
    Explanation,
    HistoryPosition,
    InFlightMessage,
    Moment,
    PartitionPosition,
    StateAsOf,
    TurnAsOf,
)
from headgate.v1.turn_pb2 import HistoryRecord


class Reader:
    """Answers questions to a store; each answer is of one state of the store."""

    def __init__(self, engine: Engine) -> None:
        """Read a store (`headgate.history.opening`)."""
        self._engine = engine

    def position(self) -> HistoryPosition:
        """Return how far the store has read; ``end_offset`` is not known here."""
        with self._reading() as reading:
            made = HistoryPosition(closed_us=closed_until(reading), horizon_us=horizon_of(reading))
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
        with self._reading() as reading:
            return state_at(reading, address, moment or Moment())

    def explain(self, address: str, moment: Moment | None = None, path: str = "") -> Explanation:
        """Return which turn made each value and list of a state, or what is at a path in one.

        Raises:
            NeverSeenError, NotClosedError, RemovedError: as of a state.
            NoSuchPathError: there is nothing at that path.
            MomentError: it is a moment of the second axis.
        """
        with self._reading() as reading:
            return explanation_at(reading, address, moment or Moment(), path)

    def turns(
        self, address: str, *, first: int = 0, last: int = 0, newest: int = 0
    ) -> list[TurnAsOf]:
        """Return an instance's turns, oldest first; 0 is no bound.

        Raises:
            NeverSeenError: there is no such instance.
        """
        table = schema.turns
        with self._reading() as reading:
            instance = find_instance(reading, address)
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
        with self._reading() as reading:
            yield from states_at(reading, at_us, agent_type=agent_type, where=where, only=only)

    def in_flight(self, at_us: int = 0) -> Generator[InFlightMessage, None, None]:
        """Yield messages that were sent by a closed moment, and not taken by then.

        Raises:
            NotClosedError, RemovedError.
        """
        with self._reading() as reading:
            yield from in_flight_at(reading, at_us)

    def closed_at(self, at_us: int) -> int:
        """Return a closed moment: the given one, or for 0 the newest.

        Raises:
            NotClosedError, RemovedError.
        """
        with self._reading() as reading:
            return closed(reading, at_us)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as reading, reading.begin():
            yield reading
