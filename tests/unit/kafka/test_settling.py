"""Dead letters are settled once, whatever is asked for twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.config import loads
from headgate.kafka import letters
from headgate.kafka.letters import Settling
from headgate.v1.turn_pb2 import InboxRecord, ReplayedRecord, SettledLetter

NAMES = loads("").topic_names


class Producer:
    """A transactional producer: what it has committed, and what is still open."""

    def __init__(self, *, fails_after: int = 1_000) -> None:
        self.committed: list[tuple[str, bytes, bytes]] = []
        self._open: list[tuple[str, bytes, bytes]] = []
        self._left = fails_after

    def init_transactions(self) -> None:
        """Fence others off."""

    def begin_transaction(self) -> None:
        self._open = []

    def send(self, topic: str, *, key: bytes, value: bytes, partition: int) -> None:
        if not self._left:
            raise ConnectionError
        self._left -= 1
        self._open.append((topic, key, value))

    def commit_transaction(self) -> None:
        self.committed += self._open

    def abort_transaction(self) -> None:
        self._open = []

    def close(self, *, timeout: float) -> None:
        """Disconnect."""


def settling(
    monkeypatch: pytest.MonkeyPatch, producer: Producer, *, settled: Sequence[str] = ()
) -> Settling:
    already = {each: SettledLetter(fate=SettledLetter.DISCARDED) for each in settled}
    monkeypatch.setattr(letters, "open_producer", lambda *_, **__: producer)
    monkeypatch.setattr(letters, "count_partitions", lambda *_: 4)
    monkeypatch.setattr(letters, "_settled", lambda *_: already)
    return Settling(Bootstrap("127.0.0.1:1"), NAMES)


def record(letter_id: str) -> ReplayedRecord:
    return ReplayedRecord(topic="shop", letter_id=letter_id, address="order/17")


def test_a_letter_is_replayed_once_and_settled_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer()
    with settling(monkeypatch, producer, settled=["gone"]) as mine:
        assert mine.replay([record("a"), record("gone")], reason="mended") == ["a"]
        assert mine.replay([record("a")], reason="again") == []
        assert mine.discard(["a", "gone", "b"], reason="known") == ["b"]
    inbox = [
        InboxRecord.FromString(v) for topic, _, v in producer.committed if topic == NAMES.inbox
    ]
    assert [each.replayed.letter_id for each in inbox] == ["a"]
    told = [
        (k, SettledLetter.FromString(v)) for t, k, v in producer.committed if t == NAMES.settled
    ]
    assert [(key, each.fate, each.reason) for key, each in told] == [
        (b"a", SettledLetter.REPLAYED, "mended"),
        (b"b", SettledLetter.DISCARDED, "known"),
    ]


def test_a_replay_that_fails_half_way_never_was(monkeypatch: pytest.MonkeyPatch) -> None:
    producer: Any = Producer(fails_after=1)
    with settling(monkeypatch, producer) as mine, pytest.raises(ConnectionError):
        mine.replay([record("a")], reason="")
    assert producer.committed == []
