"""Topics in memory, and the one clock of a simulated world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from headgate.core.identity import partition_of

T = TypeVar("T")

START_MS = 1_700_000_000_000
"""When every simulated world begins, milliseconds since the epoch."""


@dataclass(slots=True)
class Clock:
    """Time that moves only when it is told to."""

    now_ms: int = START_MS

    def advance(self, ms: int) -> None:
        """Move on."""
        if ms < 0:
            msg = f"time does not go back: {ms} ms"
            raise ValueError(msg)
        self.now_ms += ms


class Topic(Generic[T]):
    """Partitions of records; a record's offset is its place. Positions live with the reader."""

    def __init__(self, name: str, partitions: int) -> None:
        self.name = name
        self.partitions: list[list[T]] = [[] for _ in range(partitions)]

    def append(self, partition: int, record: T) -> int:
        """Add a record; returns its offset."""
        self.partitions[partition].append(record)
        return len(self.partitions[partition]) - 1

    def place_of(self, key: str) -> int:
        """Return the partition that records of a key go to."""
        return partition_of(key.encode(), len(self.partitions))


@dataclass(slots=True)
class Cursor:
    """How far a reader of one topic is, by partition."""

    offsets: list[int]

    @classmethod
    def at_start(cls, topic: Topic[T]) -> Cursor:
        """Return the position before the first record of every partition."""
        return cls([0] * len(topic.partitions))

    def copy(self) -> Cursor:
        """Return a copy that does not follow."""
        return Cursor(list(self.offsets))


@dataclass(frozen=True, slots=True)
class Written:
    """A record of the journal. ``life`` names the Invoke that wrote it, for accounting only."""

    key: str
    value: bytes
    appended_ms: int
    life: int


@dataclass(slots=True)
class Sink(Generic[T]):
    """An exactly-once sink: what was written since a checkpoint is committed with the next."""

    committed: list[T] = field(default_factory=list)
    pending: list[T] = field(default_factory=list)

    def write(self, record: T) -> None:
        """Add to the open transaction."""
        self.pending.append(record)

    def commit(self) -> None:
        """Make the open transaction visible."""
        self.committed += self.pending
        self.pending = []

    def abort(self) -> None:
        """Drop the open transaction."""
        self.pending = []
