"""The inbox: messages, signals, operators' controls, questions and replays of dead letters.

It has a source of its own. What is said here may be what an overload waits for, so it must not
stand behind events that were fetched before it.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from pyflink.datastream import RuntimeContext

from headgate.core.bounds import fault_of_time
from headgate.core.decode import Record
from headgate.core.identity import split_address
from headgate.core.inbox import arrived
from headgate.core.letters import letter_for_record
from headgate.core.model import ControlArrived, EventArrived, MessageArrived
from headgate.core.replayed import read_again, refuse_again
from headgate.flink.arrivals import Arrivals, ArrivalSettings
from headgate.sealing.errors import BrokenSealError
from headgate.sealing.places import Seals
from headgate.v1.turn_pb2 import DeadLetter, GateInput, InboxRecord, ReplayedRecord


class Inbox(Arrivals):
    """Of Headgate's own topic, whose records name their instance themselves, by their key."""

    def __init__(self, settings: ArrivalSettings) -> None:
        super().__init__(settings)
        self._seals = Seals()

    def open(self, runtime_context: RuntimeContext) -> None:
        """Follow the registry; find the keys."""
        self._seals = Seals.of(self._settings.encryption)
        super().open(runtime_context)

    def read(self, record: Record) -> list[GateInput] | DeadLetter:
        """Read what somebody has for an instance."""
        try:
            address = (record.key or b"").decode()
            raw = self._seals.open(record.topic, record.key or b"", record.value or b"")
            found = InboxRecord.FromString(raw)
        except (DecodeError, UnicodeDecodeError, BrokenSealError) as error:
            return _bad(record, str(error))
        if found.HasField("replayed"):
            return self._replayed(found.replayed, record)
        if "/" in address:
            if found.HasField("inspect"):
                return [GateInput(address=address, inspect=found.inspect)]
            match arrived(found, record.origin()):
                case EventArrived(event):
                    return [self._addressed(GateInput(address=address, event=event))]
                case MessageArrived(message):
                    return [self._addressed(GateInput(address=address, message=message))]
                case ControlArrived(control):
                    return [GateInput(address=address, control=control)]
        problem = (
            "its key is no address, it is of no known kind, or a signal or a request without "
            "id or name"
        )
        return _bad(record, problem)

    def _addressed(self, given: GateInput) -> GateInput:
        """What names its receiver itself: Gate must know no less of the registry than this."""
        given.registry_position = self._router.latest
        return given

    def _replayed(self, given: ReplayedRecord, brought: Record) -> list[GateInput] | DeadLetter:
        fault = fault_of_time(given.event.at_us, "its event's time")
        if given.address and not all(split_address(given.address)):
            fault = f"{given.address!r} is no address"
        if fault:
            return _bad(brought, fault)
        made = read_again(given, brought, self._rules)
        if isinstance(made, DeadLetter):
            return made
        if given.address:
            return [self._addressed(GateInput(address=given.address, event=made.event))]
        message = f"still no agent has a route for type {made.event.type!r} on {given.topic!r}"
        return self.routed(made, given.topic) or refuse_again(
            given, brought, reason="no_route", message=message
        )


def _bad(record: Record, problem: str) -> DeadLetter:
    where = f"{record.topic}/{record.partition}@{record.offset}"
    return letter_for_record(
        reason="bad_inbox_record",
        message=f"{where}: no inbox record of Headgate's: {problem}; find out who wrote it",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
        value=record.value,
    )
