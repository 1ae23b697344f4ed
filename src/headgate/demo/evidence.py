"""What the topics hold of one run, read from their beginning when all is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from headgate.config import Config
from headgate.core.decode import Record
from headgate.core.identity import address_of
from headgate.kafka.tail import Tail, alone, journaled
from headgate.v1.turn_pb2 import DeadLetter, HistoryRecord, JournalRecord, Outcome

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Journaled:
    """The first outcome in the journal for each (address, base), and when each was appended."""

    first_ms: Mapping[tuple[str, str], int]
    outcomes_ms: list[int]


def read_history(config: Config, addresses: Collection[str]) -> list[HistoryRecord]:
    """Return the history of these instances, in each partition's order."""

    def wanted(record: Record) -> HistoryRecord | None:
        found = HistoryRecord.FromString(record.value or b"")
        address = address_of(found.outcome.agent_type, found.outcome.key)
        return found if address in addresses else None

    return _read(config, config.topic_names.history, wanted)


def read_outbox(config: Config, addresses: Collection[str]) -> list[dict[str, Any]]:
    """Return what these instances emitted, in each partition's order."""

    def wanted(record: Record) -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(record.value or b"{}")
        source = str(found.get("source", "")).removeprefix("headgate:")
        return found if source in addresses else None

    return _read(config, config.topic_names.outbox, wanted)


def read_dead_letters(config: Config, events: Collection[str]) -> list[DeadLetter]:
    """Return the dead letters of these events."""

    def wanted(record: Record) -> DeadLetter | None:
        found = DeadLetter.FromString(record.value or b"")
        return found if found.event_id in events else None

    return _read(config, config.topic_names.dead_letters, wanted)


def read_journal(config: Config, addresses: Collection[str]) -> Journaled:
    """Return when the outcomes of these instances were appended."""

    def wanted(record: Record) -> tuple[Outcome, int] | None:
        found = JournalRecord.FromString(record.value or b"")
        address = address_of(found.outcome.agent_type, found.outcome.key)
        return (found.outcome, record.timestamp_ms) if address in addresses else None

    first: dict[tuple[str, str], int] = {}
    times: list[int] = []
    for outcome, at in _read(config, config.topic_names.journal, wanted, journaled):
        address = address_of(outcome.agent_type, outcome.key)
        first.setdefault((address, outcome.base.hex()), at)
        times.append(at)
    return Journaled(first, sorted(times))


def _read(
    config: Config,
    topic: str,
    wanted: Callable[[Record], V | None],
    unpack: Callable[[Record], Sequence[Record]] = alone,
) -> list[V]:
    # The journal has no transactions: under read_committed it reads the same.
    with Tail(
        config.kafka.bootstrap, topic, wanted, start="start", is_read_committed=True, unpack=unpack
    ) as reader:
        return list(reader.backlog())
