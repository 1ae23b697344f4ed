"""What readers of the committed find in one partition of the output topics."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from headgate.config import TopicNames
from headgate.core.identity import address_of
from headgate.core.replay import Standing
from headgate.kafka.span import Spans
from headgate.v1.turn_pb2 import DeadLetter, HistoryRecord

# Clocks of the broker and of the machines that stamp outputs differ; outputs are looked for from so
# long before the journal's record that made them.
SKEW_MS = 60_000


@dataclass(slots=True)
class Present:
    """Records of one partition. `before`: where instances stood before the first outcome that is
    looked at; `turns`: by outcome id, where an instance stood after it; ids of outputs and letters.
    """

    before: dict[str, Standing] = field(default_factory=dict)
    turns: dict[bytes, Standing] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    letters: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Place:
    """From where on a partition of the journal is looked at; `ms` is that record's time."""

    partition: int
    offset: int
    ms: int


def read_present(
    names: TopicNames, outputs: Spans, place: Place, *, history_since_ms: int
) -> Present:
    """Read what there is for the outcomes of one partition from a place on."""
    present = Present()
    partition = place.partition
    since = outputs.offset_at(names.history, partition, history_since_ms)
    end = outputs.end(names.history, partition)
    for record in outputs.records(names.history, partition, since, end):
        told = history_in(record.value)
        if told is not None:
            _note(present, told, place)
    since = outputs.offset_at(names.outbox, partition, place.ms - SKEW_MS)
    end = outputs.end(names.outbox, partition)
    for record in outputs.records(names.outbox, partition, since, end):
        present.outputs.add(output_id(record.value))
    since = outputs.offset_at(names.dead_letters, partition, place.ms - SKEW_MS)
    end = outputs.end(names.dead_letters, partition)
    for record in outputs.records(names.dead_letters, partition, since, end):
        present.letters.add(_letter_id(record.value))
    return present


def _note(present: Present, told: HistoryRecord, place: Place) -> None:
    standing = Standing(told.base_after, told.outcome.turn, told.at_us)
    if told.journal_offset >= place.offset:
        present.turns[told.outcome.outcome_id] = standing
        return
    address = address_of(told.outcome.agent_type, told.outcome.key)
    known = present.before.get(address)
    if known is None or known.turn < standing.turn:
        present.before[address] = standing


def output_id(value: bytes | None) -> str:
    """Return the id of an outbox record, empty if it is none of ours."""
    try:
        return str(json.loads(value or b"")["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def history_in(value: bytes | None) -> HistoryRecord | None:
    """Return a record of the history, None if it is none of ours."""
    try:
        told = HistoryRecord.FromString(value or b"")
    except DecodeError:
        return None
    return told if told.outcome.agent_type else None


def _letter_id(value: bytes | None) -> str:
    try:
        return DeadLetter.FromString(value or b"").id
    except DecodeError:
        return ""
