"""Holding the source back: Gate tells how many mailboxes are full, intake pauses while any is."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from headgate.flink import pressure
from headgate.flink.pressure import Pressure
from tests.unit.flink.test_intake import intake, take

__all__ = ["intake"]

LONG = 30.0


def test_it_has_room_until_a_gate_says_otherwise_and_again_after() -> None:
    made = Pressure()
    assert made.pause(0)
    made.tell("a", 1)
    made.tell("b", 2)
    assert not made.pause(0)
    made.tell("a", 0)
    assert not made.pause(0)
    # Its successor begins; what the dead one said is gone.
    made.tell("b", 0)
    assert made.pause(0)


def test_a_pause_ends_when_there_is_room() -> None:
    made = Pressure()
    made.tell("a", 1)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(made.pause(LONG)))
    waiting.start()
    made.tell("a", 0)
    waiting.join(LONG)
    assert found == [True]


def test_intake_pauses_for_events_and_not_for_the_inbox(
    intake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Full:
        def pause(self) -> bool:
            made.append("paused")
            return False

    monkeypatch.setattr(pressure, "OF_THE_PROCESS", Full())
    take(intake, "inbox", b"order/1", b"")
    assert made == []
    take(intake, "shop", b"17", b"{}")
    assert made == ["paused"]
