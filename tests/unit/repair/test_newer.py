"""What is newer than a checkpoint: told by the history, or by the outbox where a crash came between
their commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headgate.core.render import rfc3339
from headgate.repair.newer import in_history, in_outbox
from headgate.repair.present import Place
from tests.unit.core.build import ADDRESS, NOW_MS
from tests.unit.repair.turns import HISTORY, OUTBOX, live


@dataclass
class Written:
    """A record as kafka-python hands it out."""

    value: bytes
    timestamp: int = NOW_MS


@dataclass
class Topic:
    """Stands for Spans over one partition."""

    values: list[bytes]

    def offset_at(self, _topic: str, _partition: int, _ms: int) -> int:
        return 0

    def end(self, _topic: str, _partition: int) -> int:
        return len(self.values)

    def records(self, _topic: str, _partition: int, begin: int, end: int) -> Iterator[Written]:
        return (Written(value) for value in self.values[begin:end])


def topic_of(name: str) -> Any:
    """Return what the job has written to a topic, after a record that no one can read."""
    kept = [value for (topic, _), value in live().records.items() if topic == name]
    return Topic([b"\xff no record", *kept])


def test_the_history_tells_the_first_turn_that_is_not_covered() -> None:
    history = topic_of(HISTORY)
    last = live().reads[-1].offset
    found = in_history(HISTORY, history, Place(0, last, NOW_MS))
    assert found is not None
    assert found.turn == f"{ADDRESS}/5"
    assert in_history(HISTORY, history, Place(0, last + 1, NOW_MS)) is None


def test_the_outbox_tells_where_the_history_does_not_yet() -> None:
    outbox, last = topic_of(OUTBOX), live().reads[-1]
    turns = {f"{ADDRESS}/5": rfc3339(last.appended_ms * 1_000)}
    found = in_outbox(OUTBOX, outbox, Place(0, last.offset, NOW_MS), turns)
    assert found is not None
    assert found.turn == f"{ADDRESS}/5"


def test_a_loser_is_not_taken_for_the_turn_that_has_its_number() -> None:
    # An answer that came too late, journaled after the checkpoint: turn 5 was another outcome's.
    later = rfc3339((live().reads[-1].appended_ms + 1) * 1_000)
    place = Place(0, 9, NOW_MS)
    assert in_outbox(OUTBOX, topic_of(OUTBOX), place, {f"{ADDRESS}/5": later}) is None
    assert in_outbox(OUTBOX, topic_of(OUTBOX), place, {}) is None
