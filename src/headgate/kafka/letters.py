"""The dead letters as a book: which stand open, and settling them for good.

A letter is settled by a record in a compacted topic, written in one transaction with the replay it
stands for: whatever is killed, a letter is replayed and settled, or neither. The transactional id
is the topic's, so that of two commands at once the one that came first is fenced off.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.config import TopicNames
from headgate.core.identity import partition_of
from headgate.kafka.compacted import newest
from headgate.kafka.connect import open_producer
from headgate.kafka.errors import PublishError
from headgate.kafka.publish import count_partitions
from headgate.kafka.tail import Tail
from headgate.sealing.envelope import is_sealed, told
from headgate.sealing.known import seals_at
from headgate.v1.turn_pb2 import DeadLetter, InboxRecord, ReplayedRecord, SettledLetter

if TYPE_CHECKING:
    from headgate.core.decode import Record

VERSION = 1
# A broker that restarts is back in ten seconds; an operator waits for this.
DELIVERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Filed:
    """A dead letter, and what became of it; None while it stands open."""

    letter: DeadLetter
    settled: SettledLetter | None


def read_letters(bootstrap: Bootstrap, names: TopicNames) -> Iterator[Filed]:
    """Yield all dead letters that the topic still holds, oldest first, each id once.

    Raises:
        UnknownTopicError: no job has made the topics yet.
    """
    settled = _settled(bootstrap, names.settled)
    seen: set[str] = set()
    with Tail(
        bootstrap, names.dead_letters, letter_of, start="start", is_read_committed=True
    ) as tail:
        for letter in tail.backlog():
            # Where an older savepoint was restored, what it had put out is put out again.
            if letter.id not in seen:
                seen.add(letter.id)
                yield Filed(letter, settled.get(letter.id))


def _settled(bootstrap: Bootstrap, topic: str) -> dict[str, SettledLetter]:
    found: dict[str, SettledLetter] = {}
    for key, value in newest(bootstrap, topic).items():
        # Somebody else's record settles nothing.
        with contextlib.suppress(DecodeError):
            found[key.decode(errors="replace")] = SettledLetter.FromString(value)
    return found


def letter_of(record: Record) -> DeadLetter | None:
    """Return the dead letter that a record is, one without contents where it is sealed; None where
    it is none.
    """
    value = record.value or b""
    if is_sealed(value):
        # It is there, and whoever looks should know.
        return DeadLetter(
            id=f"{record.topic}/{record.partition}/{record.offset}",
            reason="sealed",
            message=told(value),
            address=(record.key or b"").decode(errors="replace"),
            at_ms=record.timestamp_ms,
        )
    return letter_in(value)


def letter_in(value: bytes) -> DeadLetter | None:
    """Return the dead letter that a record's value is, None where it is none."""
    try:
        letter = DeadLetter.FromString(value)
    except DecodeError:
        return None
    return letter if letter.reason else None


class Settling:
    """Settles letters, some or all in one transaction.

    >>> with Settling("127.0.0.1:9092", names) as settling:  # doctest: +SKIP
    ...     settling.discard(["order/17/4"], reason="known")
    """

    def __init__(self, bootstrap: Bootstrap, names: TopicNames) -> None:
        """Fence off any other command that settles; what it had not committed is undone."""
        self._names = names
        self._seals = seals_at(bootstrap)
        self._inbox_partitions = count_partitions(bootstrap, names.inbox)
        self._producer: Any = open_producer(
            bootstrap, delivery_seconds=DELIVERY_SECONDS, transactional_id=f"{names.settled}-writer"
        )
        self._producer.init_transactions()
        # After the fence: nobody else settles any more.
        self._already = _settled(bootstrap, names.settled)

    def replay(self, records: Sequence[ReplayedRecord], *, reason: str) -> list[str]:
        """Hand records to the job again; returns the ids of those that were not settled before.

        Raises:
            PublishError: nothing was replayed.
        """
        fresh = [each for each in records if each.letter_id not in self._already]
        with self._transaction():
            for each in fresh:
                self._send_replay(each)
            self._mark([each.letter_id for each in fresh], SettledLetter.REPLAYED, reason)
        return [each.letter_id for each in fresh]

    def discard(self, ids: Sequence[str], *, reason: str) -> list[str]:
        """Give letters up for good; returns the ids of those that were not settled before.

        Raises:
            PublishError: nothing was discarded.
        """
        fresh = [each for each in ids if each not in self._already]
        with self._transaction():
            self._mark(fresh, SettledLetter.DISCARDED, reason)
        return fresh

    def close(self) -> None:
        """Disconnect."""
        self._producer.close(timeout=DELIVERY_SECONDS)

    def _send_replay(self, record: ReplayedRecord) -> None:
        key = (record.address or record.letter_id).encode()
        raw = InboxRecord(replayed=record).SerializeToString()
        self._producer.send(
            self._names.inbox,
            key=key,
            value=self._seals.seal(self._names.inbox, key, raw),
            partition=partition_of(key, self._inbox_partitions),
        )

    def _mark(self, ids: Sequence[str], fate: SettledLetter.Fate, reason: str) -> None:
        made = SettledLetter(
            fate=fate, at_ms=time.time_ns() // 1_000_000, reason=reason, schema_version=VERSION
        )
        for each in ids:
            self._producer.send(
                self._names.settled, key=each.encode(), value=made.SerializeToString(), partition=0
            )
            self._already[each] = made

    def _transaction(self) -> _Transaction:
        return _Transaction(self._producer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Transaction:
    """One transaction: committed at the end of the block, aborted if the block fails."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def __enter__(self) -> None:
        self._producer.begin_transaction()

    def __exit__(self, kind: object, *_: object) -> None:
        from kafka.errors import KafkaError

        try:
            if kind is None:
                self._producer.commit_transaction()
            else:
                self._producer.abort_transaction()
        except KafkaError as error:
            message = f"nothing was settled: {type(error).__name__}: {error}; try again"
            raise PublishError(message) from error
