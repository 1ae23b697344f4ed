"""From records of the history to rows of the store. Pure: what is known in, rows out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from headgate.core.asked import is_answer
from headgate.core.bounds import LATEST_US
from headgate.core.identity import address_of
from headgate.core.messages import message_id
from headgate.core.parking import parking_of
from headgate.history.schema import ITEM, PARKED, VALUE
from headgate.history.standing import OPEN
from headgate.v1.agent_pb2 import Mutation
from headgate.v1.turn_pb2 import Controlled, HistoryRecord, Outcome

Row = dict[str, Any]

_FORGETTING = frozenset((Controlled.RESET, Controlled.EXPIRE))
_MESSAGE = re.compile(r"(?s)(.+)/[0-9]+/m[0-9]+")


@dataclass(slots=True)
class Known:
    """What is known of an instance: its newest turn, and the names of its state.

    values: by name, since when it is as it is, 0 if it is not there; lists: by name, the length.
    """

    id: int
    address: str
    partition: int
    turn: int = 0
    at_us: int = 0
    is_complete: bool = True
    values: dict[str, int] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Rows:
    """What a batch of records changes in the store."""

    known: dict[str, Known] = field(default_factory=dict)
    turns: list[Row] = field(default_factory=list)
    cells: list[Row] = field(default_factory=list)
    # Cells of earlier batches that end now: single values, and whole lists.
    ended_values: list[Row] = field(default_factory=list)
    ended_lists: list[Row] = field(default_factory=list)
    deletions: dict[tuple[int, int, str], Row] = field(default_factory=dict)
    sent: list[Row] = field(default_factory=list)
    taken: list[Row] = field(default_factory=list)
    names: dict[tuple[int, str, int], int] = field(default_factory=dict)
    # Cells of this batch that nothing has replaced yet.
    _values: dict[tuple[int, str], Row] = field(default_factory=dict)
    _items: dict[tuple[int, str], list[Row]] = field(default_factory=dict)

    def add(self, known: Known, record: HistoryRecord, raw: bytes) -> bool:
        """Take in an instance's next turn; False for one that the store has already."""
        outcome = record.outcome
        if outcome.turn <= known.turn:
            # A job that was restored from an older savepoint writes again what it had written.
            return False
        if outcome.turn != known.turn + 1:
            known.is_complete = False
        known.turn, known.at_us = outcome.turn, record.at_us
        self.known[known.address] = known
        valid_us = valid_time(record)
        turn = {"turn": known.turn, "at_us": known.at_us, "valid_us": valid_us, "record": raw}
        self.turns.append({"instance_id": known.id, **turn})
        for mutation in outcome.mutations:
            self._mutate(known, mutation, valid_us)
        if outcome.controlled.verb in _FORGETTING:
            for name in {*known.values, *known.lists}:
                self._delete(known, name, valid_us)
        parked = parking_of(outcome, turn=known.turn, at_us=known.at_us)
        if parked:
            self._set(known, PARKED, parked, valid_us)
        elif parked is not None:
            self._end_value(known, PARKED)
        self._note_messages(known, outcome)
        return True

    def _mutate(self, known: Known, mutation: Mutation, valid_us: int) -> None:
        name = mutation.name
        match mutation.WhichOneof("change"):
            case "set":
                self._set(known, name, mutation.set, valid_us)
            case "append":
                length = known.lists.get(name, 0)
                row = self._cell(
                    known, ITEM, mutation.append, valid_us=valid_us, name=name, place=length
                )
                self._items.setdefault((known.id, name), []).append(row)
                known.lists[name] = self.names[known.id, name, ITEM] = length + 1
            case "delete":
                self._delete(known, name, valid_us)

    def _set(self, known: Known, name: str, value: bytes, valid_us: int) -> None:
        self._end_value(known, name)
        row = self._cell(known, VALUE, value, valid_us=valid_us, name=name)
        self._values[known.id, name] = row
        known.values[name] = self.names[known.id, name, VALUE] = known.at_us

    def _cell(
        self, known: Known, kind: int, value: bytes, *, valid_us: int, name: str, place: int = 0
    ) -> Row:
        row = {
            "instance_id": known.id,
            "name": name,
            "kind": kind,
            "from_us": known.at_us,
            "place": place,
            "to_us": OPEN,
            "valid_us": valid_us,
            "turn": known.turn,
            "value": value,
        }
        self.cells.append(row)
        return row

    def _delete(self, known: Known, name: str, valid_us: int) -> None:
        if not known.values.get(name) and not known.lists.get(name):
            return
        self._end_value(known, name)
        if known.lists.get(name):
            self._end_list(known, name)
        row = {"instance_id": known.id, "at_us": known.at_us, "name": name, "valid_us": valid_us}
        self.deletions[known.id, known.at_us, name] = row

    def _end_value(self, known: Known, name: str) -> None:
        since = known.values.get(name, 0)
        if not since:
            return
        row = self._values.pop((known.id, name), None)
        if row is None:
            ended = {"of": known.id, "named": name, "since": since, "until": known.at_us}
            self.ended_values.append(ended)
        else:
            self._end([row], known.at_us)
        known.values[name] = self.names[known.id, name, VALUE] = 0

    def _end_list(self, known: Known, name: str) -> None:
        rows = self._items.pop((known.id, name), [])
        self._end(rows, known.at_us)
        if known.lists[name] > len(rows):
            self.ended_lists.append({"of": known.id, "named": name, "until": known.at_us})
        known.lists[name] = self.names[known.id, name, ITEM] = 0

    def _end(self, rows: list[Row], at_us: int) -> None:
        for row in rows:
            row["to_us"] = at_us
        if any(row["from_us"] == at_us for row in rows):
            # Written and replaced by one turn: nobody ever saw it.
            self.cells = [each for each in self.cells if each["from_us"] != each["to_us"]]

    def _note_messages(self, known: Known, outcome: Outcome) -> None:
        for index, message in enumerate(outcome.messages):
            if not is_answer(message):
                self.sent.append(
                    {
                        "id": message_id(known.address, known.turn, index),
                        "sender": known.address,
                        "receiver": address_of(message.agent_type, message.key),
                        "type": message.type,
                        "data": message.data,
                        "sent_us": known.at_us,
                        "taken_us": OPEN,
                    }
                )
        for taken in senders_of(outcome):
            self.taken.append(
                {
                    "id": taken[0],
                    "sender": taken[1],
                    "receiver": known.address,
                    "type": "",
                    "data": b"",
                    "sent_us": 0,
                    "taken_us": known.at_us,
                }
            )


def senders_of(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield id and sender of each message of another instance that an outcome took."""
    for ref in outcome.taken:
        named = _MESSAGE.fullmatch(ref.id)
        if named and ref.source == f"headgate:{named[1]}":
            yield ref.id, named[1]


def valid_time(record: HistoryRecord) -> int:
    """Return the time of what a turn was about: the newest of its events', else its own."""
    newest = max((ref.time_us for ref in record.outcome.taken), default=0)
    return min(newest, LATEST_US) if newest > 0 else record.at_us
