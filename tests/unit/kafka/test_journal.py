"""The journal's producer: what it cannot take is told to whoever comes next."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from confluent_kafka import Message, Producer

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
        delivered = cast(Message, SimpleNamespace(value=lambda: bytes(10)))
        record = Interrupted(10)
        record.tell = lambda: journal._delivered(None, delivered)
        journal.write(0, b"shard-0", record)
        assert not journal.is_full(), "ten of twenty bytes are written"
        journal.write(0, b"shard-0", bytes(10))
        assert journal.is_full()
    finally:
        journal.close()
