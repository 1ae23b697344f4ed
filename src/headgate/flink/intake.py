"""Intake: reads users' records and the inbox by `core.decode`, and keys them by address."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from pyflink.common import Row
from pyflink.datastream import OutputTag, RuntimeContext
from pyflink.datastream.functions import ProcessFunction

from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.identity import address_of, split_address
from headgate.core.letters import letter_for_record
from headgate.flink.rows import KIND_CONTROL, KIND_EVENT, SINK_ROW
from headgate.v1.turn_pb2 import DeadLetter, InboxRecord

REFUSED = OutputTag("refused", SINK_ROW)


class Intake(ProcessFunction):
    """Rows `(topic, partition, offset, ms, key, value, headers)` in, keyed rows out, dead
    letters aside.
    """

    def __init__(self, rules: dict[str, list[TopicRule]], inbox: str) -> None:
        """``rules`` has an entry for each agent type that a topic is routed to."""
        self._rules = rules
        self._inbox = inbox

    def open(self, runtime_context: RuntimeContext) -> None:
        """Nothing to open."""

    def process_element(self, value: Any, ctx: Any) -> list[Any]:
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
        made = self._inbox_row(record) if topic == self._inbox else self._event_rows(record)
        if isinstance(made, DeadLetter):
            return [(REFUSED, Row(record.key or b"", made.SerializeToString()))]
        return made

    def _event_rows(self, record: Record) -> list[Any] | DeadLetter:
        rules = self._rules[record.topic]
        made = decode(record, rules[0])
        match made:
            case Decoded(address, event):
                raw = event.SerializeToString()
                addresses = [address]
                if len(rules) > 1:
                    _, key = split_address(address)
                    addresses += [address_of(rule.agent_type, key) for rule in rules[1:]]
                return [Row(to, Row(to, KIND_EVENT, raw)) for to in addresses]
            case _:
                return made

    def _inbox_row(self, record: Record) -> list[Any] | DeadLetter:
        try:
            address = (record.key or b"").decode()
            found = InboxRecord.FromString(record.value or b"")
        except (DecodeError, UnicodeDecodeError) as error:
            return _bad_inbox(record, str(error))
        if "/" not in address or found.WhichOneof("kind") != "control":
            return _bad_inbox(record, "its key is no address, or it is no control")
        control = found.control.SerializeToString()
        return [Row(address, Row(address, KIND_CONTROL, control))]


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
