"""What a checkpoint says about Kafka, out of the bytes that Flink and its connector keep.

Flink stores the elements of an operator's list state as bytes that the connector made. Two lists
matter: the sources' splits (a topic's partition and the next offset to read) and the sinks'
committables (a transaction that was flushed and is to be committed once the checkpoint is
complete). Both forms are those of Flink 2.3 and flink-connector-kafka 5.0; anything else is
refused, never guessed at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from headgate.errors import HeadgateError

T = TypeVar("T")

SPLITS = "SourceReaderState"
COMMITTABLES = "streaming_committer_raw_states"
_COLLECTOR_MAGIC = -1189141204


class CheckpointUnreadableError(HeadgateError):
    """A checkpoint or savepoint cannot be read here, or is of another Flink.

    Operator action: correct the path, or run the command where the checkpoint's storage is
    reachable. To restore without any check, give both --reemit and --after-long-outage.
    """


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction that a checkpoint has flushed; restoring the checkpoint commits it.

    Id, producer and epoch together name one transaction: the sink asks for a new epoch before it
    uses an id again.
    """

    transactional_id: str
    producer_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint or savepoint: next offsets by (topic, partition), and transactions."""

    path: str
    number: int
    positions: Mapping[tuple[str, int], int]
    prepared: tuple[Prepared, ...]

    def next_offsets(self, topic: str, partitions: int) -> dict[int, int]:
        """Return where reading goes on in each partition: 0 where nothing was read yet."""
        return {n: max(0, self.positions.get((topic, n), 0)) for n in range(partitions)}


def split_of(raw: bytes) -> tuple[str, int, int]:
    """Return topic, partition and next offset of a source's split, an element of SPLITS."""
    split = _Bytes(raw).versioned("a Kafka split", 0)
    return split.text(), split.number("i"), split.number("q")


def prepared_of(raw: bytes) -> list[Prepared]:
    """Return the transactions of a sink's committables, an element of COMMITTABLES."""
    collector = _Bytes(raw).versioned("a collector of committables", 2)
    if collector.number("i") != _COLLECTOR_MAGIC:
        message = "the committables in the checkpoint are not as Flink 2.3 writes them"
        raise CheckpointUnreadableError(message)
    checkpoints = collector.each("committables of a checkpoint", _of_checkpoint)
    return [one for found in checkpoints for one in found]


def _of_checkpoint(given: _Bytes) -> list[Prepared]:
    given.number("q")  # the checkpoint's number
    given.number("i")  # subtasks that wrote
    return [one for found in given.each("committables of a subtask", _of_subtask) for one in found]


def _of_subtask(given: _Bytes) -> list[Prepared]:
    given.number("i")  # the subtask
    return given.each("a request to commit", _of_request)


def _of_request(given: _Bytes) -> Prepared:
    committable = given.versioned("a Kafka committable", 1)
    epoch, producer = committable.number("h"), committable.number("q")
    return Prepared(committable.text(), producer, epoch)


class _Bytes:
    """Java's DataInput over bytes; every nested thing carries its version and length."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))
        return int(value)

    def text(self) -> str:
        return self.take(self.number("H")).decode()

    def take(self, length: int) -> bytes:
        end = self._at + length
        if length < 0 or end > len(self._raw):
            message = "the checkpoint's list states are not as Flink 2.3 writes them"
            raise CheckpointUnreadableError(message)
        found, self._at = self._raw[self._at : end], end
        return found

    def versioned(self, what: str, version: int) -> _Bytes:
        self._expect(what, version)
        return _Bytes(self.take(self.number("i")))

    def each(
        self, what: str, read: Callable[[_Bytes], T], versions: tuple[int, ...] = (0, 1, 2)
    ) -> list[T]:
        found = self.number("i")
        if found not in versions:
            message = f"{what} in the checkpoint has version {found}; this code reads {versions}"
            raise CheckpointUnreadableError(message)
        return [read(_Bytes(self.take(self.number("i")))) for _ in range(self.number("i"))]

    def _expect(self, what: str, version: int) -> None:
        found = self.number("i")
        if found != version:
            message = f"{what} in the checkpoint has version {found}; this code reads {version}"
            raise CheckpointUnreadableError(message)
