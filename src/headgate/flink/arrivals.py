"""What arrives for instances: records of Kafka in, rows for Gate out, keyed by shard.

What cannot be read goes through Gate too, to the sink that is chained to it: an output of its own
would take each record of the sink through one more thread.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from pyflink.datastream import RuntimeContext
from pyflink.datastream.functions import ProcessFunction

from headgate.bootstrap import Bootstrap
from headgate.core.decode import Decoded, Record, TopicRule
from headgate.core.identity import address_of, partition_of
from headgate.flink.router import Router
from headgate.flink.rows import LightRow
from headgate.kafka.shared_table import SharedTable
from headgate.sealing.places import Encryption
from headgate.v1.turn_pb2 import DeadLetter, GateInput


@dataclass(frozen=True, slots=True)
class ArrivalSettings:
    """What reading needs to know. ``rules`` says how the records of each topic are read;
    ``pressure`` is the topic in which Gate tells of full mailboxes. ``encryption``: of the inbox.
    """

    bootstrap: Bootstrap
    registry: str
    pressure: str
    rules: dict[str, TopicRule]
    shard_keys: tuple[str, ...]
    encryption: Encryption | None = None


class Arrivals(ProcessFunction):
    """Rows `(topic, partition, offset, ms, key, value, headers)` in, keyed rows out."""

    def __init__(self, settings: ArrivalSettings) -> None:
        self._settings = settings
        self._rules = settings.rules
        self._shard_keys = settings.shard_keys

    def open(self, runtime_context: RuntimeContext) -> None:
        """Follow the registry."""
        self._registry = SharedTable(self._settings.bootstrap, self._settings.registry)
        self._router = Router(self._registry.table)

    def close(self) -> None:
        """Stop following the registry."""
        self._registry.close()

    def process_element(self, value: Any, ctx: Any) -> list[LightRow]:
        """Read one record."""
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
        made = self.read(record)
        if isinstance(made, DeadLetter):
            return [self._row(GateInput(refused=made), record.key or b"")]
        return [self._row(each, each.address.encode()) for each in made]

    @abstractmethod
    def read(self, record: Record) -> list[GateInput] | DeadLetter:
        """Return what a record is to the instances that it is for, or why it is nothing."""

    def routed(self, made: Decoded, topic: str) -> list[GateInput]:
        """Address an event to an instance of each agent type that has a route for it."""
        router = self._router
        return [
            GateInput(
                address=address_of(agent_type, made.key),
                event=made.event,
                registry_position=router.position,
            )
            for agent_type in router.find(topic, made.event.type)
        ]

    def _row(self, given: GateInput, place: bytes) -> LightRow:
        given.shard = partition_of(place, len(self._shard_keys))
        return LightRow(self._shard_keys[given.shard], given.SerializeToString())
