"""Intake: reads users' records by `core.decode`, and finds by the registry who gets an event."""

from __future__ import annotations

from headgate.core.decode import Record, decode
from headgate.core.routes import letter_for_nobody
from headgate.flink.arrivals import Arrivals
from headgate.v1.turn_pb2 import DeadLetter, GateInput


class Intake(Arrivals):
    """Of users' topics."""

    def read(self, record: Record) -> list[GateInput] | DeadLetter:
        """Decode an event, for each agent that has a route for it."""
        made = decode(record, self._rules[record.topic])
        if isinstance(made, DeadLetter):
            return made
        return self.routed(made, record.topic) or letter_for_nobody(record, made.event)
