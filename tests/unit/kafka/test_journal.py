"""The journal's producer: what it cannot take is told to whoever comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, Message, Producer

from headgate.bootstrap import Bootstrap
from headgate.kafka import journal as module
from headgate.kafka.journal import JournalLostError, KafkaJournal


class FullProducer:
    """A producer whose queue is full for once, as librdkafka's is in a long outage."""

    def __init__(self, _: dict[str, Any]) -> None:
        self.refused = 0

    def produce(self, *_: Any, **__: Any) -> None:
        if not self.refused:
            self.refused += 1
            message = "Local: Queue full"
            raise BufferError(message)

    def poll(self, _: float) -> None:
        return

    def flush(self, _: float) -> None:
        return


def test_an_outcome_that_is_not_taken_ends_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathered outcomes are written by a timer, with nobody above to hear of it: the next request
    must, or they would pass for journaled and never be asked for again.
    """
    monkeypatch.setattr(module, "Producer", FullProducer)
    journal = KafkaJournal(Bootstrap("127.0.0.1:9"), "journal")
    try:
        with pytest.raises(JournalLostError, match="Queue full"):
            journal.write(0, b"shard-0", b"outcome")
        with pytest.raises(JournalLostError, match="Queue full"):
            journal.raise_if_lost()
    finally:
        journal.close()


def report(partition: int = 0) -> Message:
    """What librdkafka tells of a record of ten bytes."""
    told = SimpleNamespace(
        value=lambda: bytes(10), partition=lambda: partition, topic=lambda: "notes"
    )
    return cast(Message, told)


class Interrupted(bytes):
    """A record whose size is asked for just as another thread is told of deliveries."""

    tell: Callable[[], None]

    def __len__(self) -> int:
        self.tell()
        return super().__len__()


def test_no_delivery_is_forgotten_while_another_record_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A count that only grows ends in a journal that is full for ever, and so without a call."""
    monkeypatch.setattr(module, "WAITING_BYTES", 15)
    monkeypatch.setattr(module, "Producer", Mock(spec_set=Producer))
    journal = KafkaJournal(Bootstrap("127.0.0.1:9"), "journal")
    try:
        journal.write(0, b"shard-0", bytes(10))
        assert not journal.is_full()
        delivered = report()
        record = Interrupted(10)
        record.tell = lambda: journal._delivered(None, delivered)
        journal.write(0, b"shard-0", record)
        assert not journal.is_full(), "ten of twenty bytes are written"
        journal.write(0, b"shard-0", bytes(10))
        assert journal.is_full()
    finally:
        journal.close()


HOUR = 3_600.0


class Clocks:
    """The wall clock and the one that only goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.moment = 1_800_000_000.0, 1_000.0
        seen = SimpleNamespace(time=lambda: self.wall, monotonic=lambda: self.moment)
        monkeypatch.setattr(module, "time", seen)
        monkeypatch.setattr(module, "Producer", Mock(spec_set=Producer))

    def go_on(self, journal: KafkaJournal, seconds: float) -> None:
        """Let time pass; somebody asks each second."""
        for _ in range(int(seconds)):
            self.wall, self.moment = self.wall + 1, self.moment + 1
            journal.raise_if_lost()


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Clocks in the test's hand."""
    return Clocks(monkeypatch)


@pytest.fixture
def waiting(clocks: Clocks) -> Iterator[KafkaJournal]:
    """A journal with a record that has been waiting for a broker for ten minutes."""
    journal = KafkaJournal(Bootstrap("127.0.0.1:9"), "journal")
    journal.write(0, b"shard-0", bytes(10))
    clocks.go_on(journal, 600)
    yield journal
    journal.close()


def test_a_producer_that_waits_since_the_clock_was_put_back_is_lost(
    clocks: Clocks, waiting: KafkaJournal
) -> None:
    clocks.wall += HOUR
    clocks.go_on(waiting, 60)
    clocks.wall -= HOUR
    clocks.go_on(waiting, module.STUCK_SECONDS)
    with pytest.raises(JournalLostError, match="clock was put back"):
        clocks.go_on(waiting, 2)
    with pytest.raises(JournalLostError):
        waiting.write(0, b"shard-0", b"more")


def test_a_producer_that_delivers_after_the_clock_was_put_back_is_well(
    clocks: Clocks, waiting: KafkaJournal
) -> None:
    waiting.write(0, b"shard-0", bytes(10))
    clocks.wall -= HOUR
    clocks.go_on(waiting, module.STUCK_SECONDS - 1)
    waiting._delivered(None, report())
    clocks.go_on(waiting, 600)


def test_where_nothing_waits_a_clock_may_be_put_back(clocks: Clocks, waiting: KafkaJournal) -> None:
    waiting._delivered(None, report())
    clocks.wall -= HOUR
    clocks.go_on(waiting, 600)
    waiting.write(0, b"shard-0", bytes(10))
    clocks.go_on(waiting, 600)


@pytest.mark.parametrize(("by", "is_lost"), [(4.0, False), (60.0, True)])
def test_a_clock_that_is_corrected_a_little_is_no_reason(
    clocks: Clocks, waiting: KafkaJournal, by: float, *, is_lost: bool
) -> None:
    clocks.wall -= by
    if is_lost:
        with pytest.raises(JournalLostError):
            clocks.go_on(waiting, 60)
    else:
        clocks.go_on(waiting, 60)


def test_one_broker_that_is_waited_for_is_enough(clocks: Clocks, waiting: KafkaJournal) -> None:
    waiting.write(1, b"shard-1", bytes(10))
    clocks.wall -= HOUR
    clocks.go_on(waiting, 5)
    waiting._delivered(None, report(partition=1))
    with pytest.raises(JournalLostError, match="clock was put back"):
        clocks.go_on(waiting, 60)


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaJournal]:
    """A journal that takes twenty bytes, by a producer that tells nothing by itself."""
    monkeypatch.setattr(module, "WAITING_BYTES", 19)
    monkeypatch.setattr(module, "Producer", Mock(spec_set=Producer))
    made = KafkaJournal(Bootstrap("127.0.0.1:9"), "journal")
    yield made
    made.close()


def test_notes_count_in_what_waits_until_they_are_written_or_given_up(
    journal: KafkaJournal,
) -> None:
    journal.note("notes", b"k", bytes(10))
    assert not journal.is_full()
    journal.note("notes", b"k", bytes(10))
    assert journal.is_full()
    journal._noted(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), report())
    assert not journal.is_full()
    # Whatever was wrong with a note, the journal is not.
    journal.raise_if_lost()
    cast(Mock, journal._producer).produce.side_effect = BufferError("Local: Queue full")
    journal.note("notes", b"k", bytes(10))
    assert not journal.is_full()
    journal.raise_if_lost()


def test_a_record_that_is_not_delivered_ends_the_journal(journal: KafkaJournal) -> None:
    journal.write(0, b"shard-0", bytes(10))
    journal._delivered(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), report())
    with pytest.raises(JournalLostError):
        journal.raise_if_lost()
