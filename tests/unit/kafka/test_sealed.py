"""Clients of Kafka open and seal what they are handed, whoever made them."""

from __future__ import annotations

import logging
from collections import namedtuple
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.cli.lines import cells
from headgate.core.decode import Record
from headgate.kafka.journal import JournalLostError, KafkaJournal
from headgate.kafka.letters import letter_of
from headgate.kafka.sealed import open_records
from headgate.kafka.views import view
from headgate.sealing import known
from headgate.sealing.envelope import is_sealed
from headgate.sealing.errors import MissingKeyError
from headgate.v1.turn_pb2 import DeadLetter
from tests.unit.sealing.keyrings import Ring, line

BROKER = "sealed.example:9092"
Written = namedtuple("Written", "topic partition offset timestamp key value")


class Consumer:
    """A consumer that is handed some records."""

    def __init__(self, *records: Written) -> None:
        self.records = list(records)
        self.sought: list[tuple[Any, int]] = []

    def poll(self, _: int) -> dict[str, list[Written]]:
        return {"place": list(self.records)} if self.records else {}

    def seek(self, place: str, offset: int) -> None:
        self.sought.append((place, offset))


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    seals = made.seals("a.history", "a.journal")
    monkeypatch.setitem(known._known, BROKER, seals)
    return made


def written(value: bytes | None, offset: int = 3, topic: str = "a.history") -> Written:
    return Written(topic, 0, offset, 1_000, b"order/17", value)


def polled(*records: Written, at: str = BROKER, shows_sealed: bool = False) -> list[bytes | None]:
    consumer: Any = Consumer(*records)
    open_records(consumer, at, shows_sealed=shows_sealed)
    return [each.value for each in consumer.poll(1)["place"]]


def test_what_is_sealed_comes_open(ring: Ring) -> None:
    sealed = ring.seals("a.history").seal("a.history", b"order/17", b"secret")
    users = written(sealed, topic="orders")
    found = polled(written(sealed), written(b"clear"), written(None), users)
    assert found == [b"secret", b"clear", None, sealed]


def test_a_missing_key_is_no_record_that_is_behind(ring: Ring) -> None:
    sealed = ring.seals("a.history").seal("a.history", b"order/17", b"secret")
    ring.text = line("k2")
    consumer: Any = Consumer(written(b"clear", 7), written(sealed, 8))
    open_records(consumer, BROKER, shows_sealed=False)
    with pytest.raises(MissingKeyError, match="'k1'"):
        consumer.poll(1)
    assert consumer.sought == [("place", 7)]


def test_who_has_no_configuration_does_not_pass_it_over(ring: Ring) -> None:
    sealed = ring.seals("a.history").seal("a.history", b"order/17", b"secret")
    with pytest.raises(MissingKeyError, match=r"no \[encryption\]"):
        polled(written(sealed), at="elsewhere:9092")
    assert polled(written(sealed), at="elsewhere:9092", shows_sealed=True) == [sealed]
    assert polled(written(b"clear"), at="elsewhere:9092") == [b"clear"]


def test_a_broken_seal_is_a_record_that_nobody_can_read(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = ring.seals("a.history").seal("a.history", b"order/18", b"secret")
    with caplog.at_level(logging.WARNING):
        assert polled(written(sealed)) == [sealed]
    assert "a.history/0@3: a.history of 'order/17'" in caplog.text
    assert "moved here from another place" in caplog.text


def test_people_see_that_there_is_something(ring: Ring) -> None:
    sealed = ring.seals("a.history").seal("a.history", b"order/17", b"secret")
    record = Record("a.history", 0, 3, 1_000, b"order/17", sealed, {})
    for kind in ("history", "journal", "dead-letters"):
        shown = view(kind, record)
        assert shown["_unreadable"] == "sealed with key 'k1'"
        assert shown["_record"]["key"] == "order/17"
        assert cells(kind, shown)[-1].text == "sealed with key 'k1': order/17"
    letter = letter_of(record)
    assert letter is not None
    assert (letter.reason, letter.address) == ("sealed", "order/17")
    nobodys = DeadLetter().SerializeToString()
    assert letter_of(Record("a.dead-letters", 0, 3, 1, b"", nobodys, {})) is None


class Producer:
    """Keeps what it is given."""

    def __init__(self, _: dict[str, Any]) -> None:
        self.given: list[bytes] = []

    def produce(self, topic: str, value: bytes, *_: Any, **__: Any) -> None:
        self.given.append(value)

    def poll(self, _: float) -> None:
        return

    def flush(self, _: float) -> None:
        return


def test_the_journal_is_sealed_and_notes_come_as_they_are(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.kafka.journal.Producer", Producer)
    seals = ring.seals("a.journal")
    journal = KafkaJournal(Bootstrap("127.0.0.1:9"), "a.journal", seals)
    try:
        journal.write(0, b"shard", b"outcome")
        journal.note("a.answers", b"id", b"as it is")
        outcome, note = journal._producer.given
        assert is_sealed(outcome)
        assert seals.open("a.journal", b"shard", outcome) == b"outcome"
        assert note == b"as it is"
        assert journal._taken_bytes == len(outcome) + len(note)
    finally:
        journal.close()


def test_a_journal_that_cannot_seal_writes_nothing_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.kafka.journal.Producer", Producer)
    journal = KafkaJournal(Bootstrap("127.0.0.1:9"), "a.journal", Ring("").seals("a.journal"))
    try:
        with pytest.raises(JournalLostError, match="there is no key among the keys"):
            journal.write(0, b"shard", b"outcome")
        assert journal._producer.given == []
        with pytest.raises(JournalLostError):
            journal.raise_if_lost()
    finally:
        journal.close()


def test_without_encryption_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.kafka.journal.Producer", Producer)
    journal = KafkaJournal(Bootstrap("127.0.0.1:9"), "a.journal")
    try:
        value = b"outcome"
        journal.write(0, b"shard", value)
        assert journal._producer.given[0] is value
    finally:
        journal.close()
