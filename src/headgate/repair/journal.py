"""Outcomes in the journal's records, as Gate takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

from headgate.core.batch import records_in
from headgate.core.identity import address_of, partition_of
from headgate.core.model import OutcomeRead
from headgate.v1.turn_pb2 import JournalRecord


def outcomes_in(record: Any, partitions: int) -> Iterator[tuple[str, OutcomeRead]]:
    """Yield address and outcome of each turn that one of kafka-python's records tells.

    partitions: of the journal.

    Ticks, and what Gate sets aside as a dead letter, tell none.
    """
    for raw in _parts(record.value or b""):
        try:
            outcome = JournalRecord.FromString(raw).outcome
        except DecodeError:
            continue
        address = address_of(outcome.agent_type, outcome.key)
        place = partition_of(address.encode(), partitions)
        if outcome.agent_type and place == record.partition:
            yield (
                address,
                OutcomeRead(outcome, raw, record.timestamp, record.partition, record.offset),
            )


def _parts(value: bytes) -> list[bytes]:
    """Return the records that a record holds; none if nobody can read it."""
    try:
        return records_in(value)
    except DecodeError:
        return []
