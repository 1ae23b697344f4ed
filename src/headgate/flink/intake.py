"""Intake: reads users' records by `core.decode`, and finds by the registry who gets an event."""

from __future__ import annotations

from headgate.core.decode import Record, decode
from headgate.core.routes import letter_for_nobody
from headgate.flink.arrivals import Arrivals, ArrivalSettings
from headgate.flink.pressure import FullMailboxes
from headgate.v1.turn_pb2 import DeadLetter, GateInput


class Intake(Arrivals):
    """Of users' topics. Waits for room where a mailbox is full whose agent would have it so."""

    def __init__(self, settings: ArrivalSettings) -> None:
        super().__init__(settings)
        # Followed once an agent is attached that would have it so: most jobs have none.
        self._full: FullMailboxes | None = None

    def close(self) -> None:
        """Stop following."""
        super().close()
        if self._full is not None:
            self._full.close()

    def read(self, record: Record) -> list[GateInput] | DeadLetter:
        """Decode an event, for each agent that has a route for it."""
        made = decode(record, self._rules[record.topic])
        if isinstance(made, DeadLetter):
            return made
        found = self.routed(made, record.topic)
        if self._router.holding:
            self._hold_back(found)
        return found or letter_for_nobody(record, made.event)

    def _hold_back(self, events: list[GateInput]) -> None:
        if self._full is None:
            self._full = FullMailboxes(self._settings.bootstrap, self._settings.pressure)
        for each in events:
            self._full.await_room(each.address)
