"""Intake: reads users' records and the inbox by `core.decode`, finds by the registry who gets an
event, and keys it by shard.

What cannot be read goes through Gate too, to the sink that is chained to it: an output of intake's
own would take each record of the sink through one more thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from pyflink.datastream import RuntimeContext
from pyflink.datastream.functions import ProcessFunction

from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.identity import address_of, partition_of
from headgate.core.inbox import arrived
from headgate.core.letters import letter_for_record
from headgate.core.model import ControlArrived, EventArrived, MessageArrived
from headgate.core.replayed import read_again, refuse_again
from headgate.core.routes import letter_for_nobody
from headgate.flink.router import Router
from headgate.flink.rows import LightRow
from headgate.kafka.shared_table import SharedTable
from headgate.v1.agent_pb2 import Origin
from headgate.v1.turn_pb2 import DeadLetter, GateInput, InboxRecord, ReplayedRecord


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """What intake needs to know. ``rules`` says how the records of each topic are read."""

    bootstrap: str
    registry: str
    inbox: str
    rules: dict[str, TopicRule]
    shard_keys: tuple[str, ...]


class Intake(ProcessFunction):
    """Rows `(topic, partition, offset, ms, key, value, headers)` in, keyed rows out."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self._rules = settings.rules
        self._inbox = settings.inbox
        self._shard_keys = settings.shard_keys

    def open(self, runtime_context: RuntimeContext) -> None:
        """Follow the registry."""
        self._registry = SharedTable(self._settings.bootstrap, self._settings.registry)
        self._router = Router(self._registry.table)

    def close(self) -> None:
        """Stop following the registry."""
        self._registry.close()

    def process_element(self, value: Any, ctx: Any) -> list[LightRow]:
        """Decode one record."""
        topic, partition, offset, timestamp_ms, key, payload, headers = value
        record = Record(
            topic=topic,
            partition=partition,
            offset=offset,
            timestamp_ms=timestamp_ms,
            key=None if key is None else bytes(key),
            value=None if payload is None else bytes(payload),
            headers={name: bytes(v or b"") for name, v in (headers or {}).items()},
        )
        made = self._inboxed(record) if topic == self._inbox else self._events(record)
        if isinstance(made, DeadLetter):
            return [self._row(GateInput(refused=made), record.key or b"")]
        return [self._row(each, each.address.encode()) for each in made]

    def _row(self, given: GateInput, place: bytes) -> LightRow:
        given.shard = partition_of(place, len(self._shard_keys))
        return LightRow(self._shard_keys[given.shard], given.SerializeToString())

    def _events(self, record: Record) -> list[GateInput] | DeadLetter:
        made = decode(record, self._rules[record.topic])
        if isinstance(made, DeadLetter):
            return made
        return self._routed(made, record.topic) or letter_for_nobody(record, made.event)

    def _routed(self, made: Decoded, topic: str) -> list[GateInput]:
        router = self._router
        return [
            GateInput(
                address=address_of(agent_type, made.key),
                event=made.event,
                registry_position=router.position,
            )
            for agent_type in router.find(topic, made.event.type)
        ]

    def _inboxed(self, record: Record) -> list[GateInput] | DeadLetter:
        try:
            address = (record.key or b"").decode()
            found = InboxRecord.FromString(record.value or b"")
        except (DecodeError, UnicodeDecodeError) as error:
            return _bad_inbox(record, str(error))
        if found.HasField("replayed"):
            return self._replayed(found.replayed, record)
        if "/" in address:
            if found.HasField("inspect"):
                return [GateInput(address=address, inspect=found.inspect)]
            match arrived(found, _place_of(record)):
                case EventArrived(event):
                    return [self._addressed(GateInput(address=address, event=event))]
                case MessageArrived(message):
                    return [self._addressed(GateInput(address=address, message=message))]
                case ControlArrived(control):
                    return [GateInput(address=address, control=control)]
        problem = "its key is no address, it is of no known kind, or a signal without id or name"
        return _bad_inbox(record, problem)

    def _addressed(self, given: GateInput) -> GateInput:
        """What names its receiver itself: Gate must know no less of the registry than intake."""
        given.registry_position = self._router.latest
        return given

    def _replayed(self, given: ReplayedRecord, brought: Record) -> list[GateInput] | DeadLetter:
        made = read_again(given, brought, self._rules)
        if isinstance(made, DeadLetter):
            return made
        if given.address:
            return [self._addressed(GateInput(address=given.address, event=made.event))]
        message = f"still no agent has a route for type {made.event.type!r} on {given.topic!r}"
        return self._routed(made, given.topic) or refuse_again(
            given, brought, reason="no_route", message=message
        )


def _place_of(record: Record) -> Origin:
    return Origin(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
    )


def _bad_inbox(record: Record, problem: str) -> DeadLetter:
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
