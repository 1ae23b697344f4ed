"""From records of the history to what `apply.lua` is given. Pure."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from headgate.core import render
from headgate.core.parking import parking_of
from headgate.history.told import Told, told_in
from headgate.redis.keys import PartitionKeys
from headgate.sdk.codec import to_json
from headgate.v1.turn_pb2 import Closed, Controlled, Outcome

log = logging.getLogger(__name__)

RECORDS = 500
BYTES = 4_000_000
"""Of one script at most: nobody else is served while it runs, which is some milliseconds."""

_FORGETTING = frozenset((Controlled.RESET, Controlled.EXPIRE))

Argument = bytes | str | int


@cache
def script() -> str:
    """Return the text of `apply.lua`."""
    return resources.files(__package__).joinpath("apply.lua").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the history topic."""

    offset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Policy:
    """How long entries stay; microseconds, and entries of one stream. past_us: 0 keeps none."""

    keep_us: int
    keep_entries: int
    past_us: int


@dataclass(slots=True)
class Batch:
    """Records of one partition, for one run of the script.

    next_offset: where the partition goes on after them. skipped: records that say nothing.
    """

    keys: PartitionKeys
    next_offset: int = 0
    skipped: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _arguments: list[Argument] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Take in the next record."""
        self.next_offset = record.offset + 1
        match told_in(record.value, self.keys.partition):
            case Told() as told:
                self._add_turn(told, record.offset)
            case Closed() as closed:
                self._arguments += ("closed", record.offset, closed.until_us)
            case fault:
                self.skipped.append(f"offset {record.offset}: {fault}")

    def names(self) -> list[str]:
        """Return KEYS."""
        return [*self.keys.fixed(), *(self.keys.state(address) for address in self._places)]

    def arguments(self, expected: int, policy: Policy) -> list[Argument]:
        """Return ARGV. expected: where Redis must stand for this to be applied."""
        kept = (policy.keep_us, policy.keep_entries, policy.past_us)
        return [expected, self.next_offset, *kept, *self._arguments]

    def _add_turn(self, told: Told, offset: int) -> None:
        place = self._places.setdefault(told.address, len(self._places) + 1)
        outcome = told.record.outcome
        heads = _heads(outcome)
        changes = _changes(told)
        outputs = render.outputs(told.address, told.turn, told.at_us, outcome)
        self._arguments += ("turn", place, offset, told.turn, told.at_us, outcome.revision)
        self._arguments += (len(heads) // 2, len(changes) // 3, len(outputs))
        self._arguments += (*heads, *changes, *outputs)


def batches(keys: PartitionKeys, records: Sequence[Record]) -> list[Batch]:
    """Split records of one partition into batches that do not hold Redis up."""
    made: list[Batch] = []
    count = size = 0
    for record in records:
        if not made or count == RECORDS or size + len(record.value) > BYTES:
            made.append(Batch(keys))
            count = size = 0
        made[-1].add(record)
        count, size = count + 1, size + len(record.value)
    return made


def _heads(outcome: Outcome) -> list[Argument]:
    """Name and value of what an entry says of its turn besides what changed."""
    said: list[Argument] = []
    if outcome.taken:
        said += ("events", to_json([ref.id for ref in outcome.taken]))
    if outcome.HasField("failed"):
        said += ("failed", outcome.failed.message)
    elif outcome.HasField("controlled"):
        said += ("controlled", Controlled.Verb.Name(outcome.controlled.verb).lower())
    if outcome.traceparent:
        said += ("traceparent", outcome.traceparent)
    return said


def _changes(told: Told) -> list[Argument]:
    """Kind, name and value of each change, in their order."""
    made: list[Argument] = []
    outcome = told.record.outcome
    for mutation in outcome.mutations:
        match mutation.WhichOneof("change"):
            case "set":
                made += ("set", mutation.name, mutation.set)
            case "append":
                made += ("append", mutation.name, mutation.append)
            case "delete":
                made += ("delete", mutation.name, b"")
    if outcome.controlled.verb in _FORGETTING:
        made += ("forget", "", b"")
    parked = parking_of(outcome, turn=told.turn, at_us=told.at_us)
    if parked:
        made += ("parked", "", parked)
    elif parked is not None:
        made += ("goes_on", "", b"")
    return made
