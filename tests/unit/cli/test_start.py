"""What `headgate dev` does about transactions when it ends; Kafka and Flink stand aside."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from headgate.cli import start
from headgate.config import Config
from headgate.kafka import transactions
from headgate.kafka.transactions import Transaction
from headgate.repair import release as releasing

OPEN = Transaction("headgate-records-0-1", 7, 3, "Ongoing")


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the checkpoints that transactions were ended by."""
    seen: list[Any] = []
    monkeypatch.setattr(releasing, "release", lambda _, checkpoint: seen.append(checkpoint))
    return seen


def end(monkeypatch: pytest.MonkeyPatch, still_open: Any, newest: str | None) -> list[str]:
    """End a stack whose newest checkpoint is this one; return what was said."""
    said: list[str] = []
    monkeypatch.setattr(transactions, "open_transactions", still_open)
    monkeypatch.setattr(start, "newest_checkpoint", lambda *_: newest)
    stack: Any = SimpleNamespace(home=None)
    start.end_transactions(stack, Config(), say=said.append)
    return said


def test_an_idle_job_costs_no_look_at_its_checkpoint(
    monkeypatch: pytest.MonkeyPatch, released: list[Any]
) -> None:
    assert end(monkeypatch, lambda *_: [], "file:///nowhere/chk-1") == []
    assert released == []


def test_without_a_checkpoint_all_is_made_again(
    monkeypatch: pytest.MonkeyPatch, released: list[Any]
) -> None:
    assert end(monkeypatch, lambda *_: [OPEN], None) == []
    assert released == [None]


def test_the_stack_ends_whatever_the_broker_says(
    monkeypatch: pytest.MonkeyPatch, released: list[Any]
) -> None:
    def silent(*_: object) -> list[Transaction]:
        raise KafkaTimeoutError

    [said] = end(monkeypatch, silent, None)
    assert said.startswith("transactions of the job stay open")
    assert released == []
