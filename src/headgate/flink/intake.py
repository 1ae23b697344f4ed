"""Intake: reads users' records and the inbox by `core.decode`, and keys them by shard.

What cannot be read goes through Gate too, to the sink that is chained to it: an output of intake's
own would take each record of the sink through one more thread.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from pyflink.datastream import RuntimeContext
from pyflink.datastream.functions import ProcessFunction

from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.identity import address_of, partition_of, split_address
from headgate.core.letters import letter_for_record
from headgate.flink.rows import LightRow
from headgate.v1.turn_pb2 import DeadLetter, GateInput, InboxRecord


class Intake(ProcessFunction):
    """Rows `(topic, partition, offset, ms, key, value, headers)` in, keyed rows out."""

    def __init__(
        self, rules: dict[str, list[TopicRule]], inbox: str, shard_keys: tuple[str, ...]
    ) -> None:
        """``rules`` has an entry for each agent type that a topic is routed to."""
        self._rules = rules
        self._inbox = inbox
        self._shard_keys = shard_keys

    def open(self, runtime_context: RuntimeContext) -> None:
        """Nothing to open."""

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
        made = self._control(record) if topic == self._inbox else self._events(record)
        if isinstance(made, DeadLetter):
            return [self._row(GateInput(refused=made), record.key or b"")]
        return [self._row(each, each.address.encode()) for each in made]

    def _row(self, given: GateInput, place: bytes) -> LightRow:
        given.shard = partition_of(place, len(self._shard_keys))
        return LightRow(self._shard_keys[given.shard], given.SerializeToString())

    def _events(self, record: Record) -> list[GateInput] | DeadLetter:
        rules = self._rules[record.topic]
        made = decode(record, rules[0])
        match made:
            case Decoded(address, event):
                addresses = [address]
                if len(rules) > 1:
                    _, key = split_address(address)
                    addresses += [address_of(rule.agent_type, key) for rule in rules[1:]]
                return [GateInput(address=to, event=event) for to in addresses]
            case _:
                return made

    def _control(self, record: Record) -> list[GateInput] | DeadLetter:
        try:
            address = (record.key or b"").decode()
            found = InboxRecord.FromString(record.value or b"")
        except (DecodeError, UnicodeDecodeError) as error:
            return _bad_inbox(record, str(error))
        if "/" not in address or found.WhichOneof("kind") != "control":
            return _bad_inbox(record, "its key is no address, or it is no control")
        return [GateInput(address=address, control=found.control)]


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
