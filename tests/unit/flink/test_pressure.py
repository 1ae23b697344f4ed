"""Holding back: intake hears which mailboxes are full, and waits before their events alone."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.flink import pressure
from headgate.flink.pressure import FullMailboxes
from headgate.kafka.table import Shown
from headgate.v1.turn_pb2 import AgentSpec, Policy, Route
from tests.unit.flink.test_intake import Readers, readers, take

__all__ = ["readers"]

LONG = 30.0


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> FullMailboxes:
    """One that hears what a test says, and follows nothing."""
    monkeypatch.setattr(pressure, "Following", lambda *_: SimpleNamespace(close=lambda: None))
    return FullMailboxes(Bootstrap("a:1"), "pressure")


def say(full: FullMailboxes, address: str, value: bytes | None) -> None:
    full.hear(SimpleNamespace(key=address.encode(), value=value))


def waits(full: FullMailboxes, address: str) -> bool:
    """Tell whether an event for an address is held back."""
    passed = threading.Event()

    def go() -> None:
        full.await_room(address, LONG)
        passed.set()

    threading.Thread(target=go, daemon=True).start()
    return not passed.wait(0.1)


def test_only_events_for_a_full_mailbox_wait(full: FullMailboxes) -> None:
    say(full, "a/1", b"full")
    assert waits(full, "a/1")
    assert not waits(full, "a/2")


def test_the_wait_ends_when_there_is_room(full: FullMailboxes) -> None:
    say(full, "a/1", b"full")
    waiting = threading.Thread(target=full.await_room, args=("a/1", LONG), daemon=True)
    waiting.start()
    say(full, "a/1", b"")
    waiting.join(LONG / 2)
    assert not waiting.is_alive()
    assert not waits(full, "a/1")


def test_what_nobody_says_again_is_believed_for_a_while(
    full: FullMailboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr(pressure, "time", now)
    say(full, "a/1", b"full")
    now.monotonic = lambda: pressure.BELIEVED_SECONDS
    assert not waits(full, "a/1")
    now.monotonic = lambda: 0.0
    assert not waits(full, "a/1"), "it is to be forgotten, not only passed over"


def test_those_that_nobody_says_again_do_not_fill_the_memory(
    full: FullMailboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr(pressure, "time", now)
    for number in range(pressure.LOOKED_THROUGH_AT):
        say(full, f"a/{number}", b"full")
    now.monotonic = lambda: pressure.BELIEVED_SECONDS
    say(full, "a/new", b"full")
    assert set(full._until) == {"a/new"}
    # All of these are still believed: none is forgotten, however many they are.
    for number in range(3 * pressure.LOOKED_THROUGH_AT):
        say(full, f"b/{number}", b"full")
    assert len(full._until) == 3 * pressure.LOOKED_THROUGH_AT + 1


def test_an_event_goes_on_at_last(full: FullMailboxes) -> None:
    say(full, "a/1", b"full")
    full.await_room("a/1", 0.01)


def test_intake_waits_where_an_agent_would_have_it_so(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Full:
        def __init__(self, *place: object) -> None:
            assert place == (Bootstrap("a:1"), "pressure")

        def await_room(self, address: str) -> None:
            asked.append(address)

    monkeypatch.setattr("headgate.flink.intake.FullMailboxes", Full)
    take(readers, "shop", b"17", b"{}")
    assert asked == []
    patient = AgentSpec(
        type="order",
        routes=[Route(topic="shop", type="*")],
        policy=Policy(mailbox_limit=1, holds_back=True),
    )
    for each in readers.values():
        table: Any = each._router._table
        table.shown = Shown({"order": patient}, position=10)
    take(readers, "inbox", b"order/17", b"")
    assert asked == [], "what the inbox says waits for nothing"
    take(readers, "shop", b"17", b"{}")
    assert asked == ["order/17"]
