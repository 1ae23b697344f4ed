"""Parked instances and open dead letters, followed: the newest of each, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from google.protobuf.message import DecodeError

from headgate.kafka.letters import letter_in, letter_of
from headgate.kafka.outcomes import code_name
from headgate.kafka.tail import as_record
from headgate.sealing.envelope import is_sealed, told
from headgate.ui.facts import LetterFact, ParkedFact
from headgate.v1.turn_pb2 import ParkedInstance

LETTERS = 2_000
"""Newest open letters that are kept, without what they hold: a page shows some, a sentence counts
them."""
SETTLED = 20_000
"""Ids of settled letters that are kept: one may be read before its letter is."""


class ParkedTable:
    """The parked instances by address."""

    def __init__(self) -> None:
        self._found: dict[str, ParkedFact] = {}

    def take(self, record: Any) -> None:
        """Take a record of the topic of parked instances; what is nobody's is passed over."""
        try:
            address = (record.key or b"").decode()
            if record.value is None:
                self._found.pop(address, None)
                return
            if is_sealed(record.value):
                self._found[address] = ParkedFact(
                    address, record.timestamp, "", told(record.value), ""
                )
                return
            parked = ParkedInstance.FromString(record.value)
        except (DecodeError, UnicodeDecodeError):
            return
        code = code_name(parked.code) if parked.code else ""
        self._found[address] = ParkedFact(
            address, parked.at_us // 1_000, code, parked.message, parked.event_id
        )

    def facts(self) -> tuple[ParkedFact, ...]:
        """Return them, the newest first."""
        return tuple(sorted(list(self._found.values()), key=lambda each: -each.since_ms))


class LetterTable:
    """The dead letters that stand open."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, LetterFact] = OrderedDict()
        self._settled: OrderedDict[str, None] = OrderedDict()

    def take(self, record: Any) -> None:
        """Take a record of the dead letters; one that was seen before or is settled adds
        nothing.
        """
        value = record.value or b""
        letter = letter_of(as_record(record)) if is_sealed(value) else letter_in(value)
        if letter is None:
            return
        if letter.id in self._settled or letter.id in self._open:
            return
        at_ms = letter.at_ms or record.timestamp
        self._open[letter.id] = LetterFact(
            letter.id, at_ms, letter.reason, letter.address, letter.message
        )
        _bound(self._open, LETTERS)

    def take_settled(self, record: Any) -> None:
        """Take a record of the settled letters."""
        name = (record.key or b"").decode(errors="replace")
        self._open.pop(name, None)
        self._settled[name] = None
        _bound(self._settled, SETTLED)

    def facts(self) -> tuple[LetterFact, ...]:
        """Return the open ones, the newest first."""
        return tuple(reversed(list(self._open.values())))


def _bound(kept: OrderedDict[str, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
