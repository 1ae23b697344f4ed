"""The journal's producer: what it cannot take is told to whoever comes next."""

from __future__ import annotations

from typing import Any

import pytest

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
    journal = KafkaJournal("127.0.0.1:9", "journal")
    try:
        with pytest.raises(JournalLostError, match="Queue full"):
            journal.write(0, b"shard-0", b"outcome")
        with pytest.raises(JournalLostError, match="Queue full"):
            journal.raise_if_lost()
    finally:
        journal.close()
