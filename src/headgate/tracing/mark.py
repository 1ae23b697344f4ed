"""How far a partition of the history has been exported, and what is a repeat.

A partition has the turns of one partition of the journal, in its order. So a turn's place is where
its outcome stands there, and which of that record's turns it is. A job that is restored from an
older checkpoint writes turns again (`--reemit`); their places are behind the mark, and they have no
second span.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from headgate.v1.turn_pb2 import HistoryRecord


@dataclass(frozen=True, slots=True)
class Mark:
    """``next_offset``: where reading the history goes on. ``journal_offset``, ``count``: the
    furthest place of a turn that was read, and how many turns of that record of the journal.
    ``at``, ``seen``: the same of the turn read last, which a repeat puts behind that.
    """

    next_offset: int
    journal_offset: int = -1
    count: int = 0
    at: int = -1
    seen: int = 0

    def pass_turn(self, record: HistoryRecord) -> tuple[Mark, bool]:
        """Return the mark behind a turn, and whether that had been passed before."""
        at = record.journal_offset
        seen = self.seen + 1 if at == self.at else 1
        is_repeat = (at, seen) <= (self.journal_offset, self.count)
        if is_repeat:
            return replace(self, at=at, seen=seen), True
        return replace(self, journal_offset=at, count=seen, at=at, seen=seen), False

    def going_on(self, next_offset: int) -> Mark:
        """Return the mark, with reading going on elsewhere."""
        return replace(self, next_offset=next_offset)

    def to_text(self, topic_id: str) -> str:
        """Return what is kept beside the offset; ``topic_id``: of the history."""
        return f"{self.journal_offset} {self.count} {self.at} {self.seen} {topic_id}"

    @classmethod
    def of(cls, next_offset: int, text: str, topic_id: str) -> Mark | None:
        """Read what `to_text` wrote; None if it is of another topic, or nobody's."""
        numbers, _, of_topic = text.rpartition(" ")
        try:
            journal_offset, count, at, seen = map(int, numbers.split(" "))
        except ValueError:
            return None
        if of_topic != topic_id:
            return None
        return cls(next_offset, journal_offset, count, at, seen)
