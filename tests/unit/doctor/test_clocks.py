"""Clocks off the journal: what is old does not count, what is delayed least counts most."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from headgate.config import Config
from headgate.doctor import clocks
from headgate.doctor.clocks import read_clocks
from headgate.v1.turn_pb2 import JournalRecord, Outcome, Tick

START = 1_800_000_000.0


class Journal:
    """A consumer of a journal whose ticks come as a script says; its polls move the time on.

    script: of each poll, (partition, broker's clock ahead, worker's clock ahead, delay), seconds.
    """

    def __init__(self, script: list[list[tuple[int, float, float | None, float]]]) -> None:
        self.script = script
        self.now = START
        self.places: list[TopicPartition] = []
        self.sought: dict[TopicPartition, int] = {}
        self.is_closed = False

    def assign(self, places: list[TopicPartition]) -> None:
        self.places = places

    def end_offsets(
        self, places: list[TopicPartition], timeout_ms: int
    ) -> dict[TopicPartition, int]:
        assert timeout_ms
        return {place: 100 + place.partition for place in places}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought[place] = offset

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        self.now += timeout_ms / 1_000
        found = self.script.pop(0) if self.script else []
        return {
            TopicPartition("j", partition): [
                SimpleNamespace(
                    partition=partition,
                    timestamp=(self.now - delay + broker) * 1_000,
                    value=_value(None if worker is None else self.now - delay + worker),
                )
            ]
            for partition, broker, worker, delay in found
        }

    def close(self) -> None:
        self.is_closed = True


def _value(written: float | None) -> bytes:
    if written is None:
        return JournalRecord(outcome=Outcome(turn=1)).SerializeToString()
    return JournalRecord(tick=Tick(written_us=int(written * 1e6))).SerializeToString()


Read = Callable[..., tuple[dict[str, float], Journal]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the clocks of a journal in its own time."""

    def run(*script: list[tuple[int, float, float | None, float]]) -> Any:
        journal = Journal(list(script))
        monkeypatch.setattr(clocks, "open_consumer", lambda _: journal)
        monkeypatch.setattr(time, "time", lambda: journal.now)
        monkeypatch.setattr(time, "monotonic", lambda: journal.now)
        found = {each.whose: each.ahead_seconds for each in read_clocks(Config(), 2)}
        assert journal.is_closed
        return found, journal

    return run


def test_the_least_delayed_tick_tells_the_clock(read: Read) -> None:
    found, journal = read([(0, 5.0, 3.0, 0.9)], [(0, 5.0, 3.0, 0.01)], [(0, 5.0, 3.0, 0.5)])
    assert found == {
        "the broker that leads partition 0 of the journal": pytest.approx(4.99, abs=0.001),
        "the Python worker that writes partition 0 of the journal": pytest.approx(2.99, abs=0.001),
    }
    # From the ends on: a record of yesterday would be a clock that is a day behind.
    assert {place.partition: at for place, at in journal.sought.items()} == {0: 100, 1: 101}


def test_one_of_many_that_is_wrong_is_not_hidden_by_the_others(read: Read) -> None:
    found, _ = read([(0, 0.0, 0.0, 0.0), (1, -7.0, 0.1, 0.0)])
    assert found["the broker that leads partition 1 of the journal"] == pytest.approx(-7, abs=0.01)
    assert found["the Python worker that writes partition 1 of the journal"] == pytest.approx(
        0.1, abs=0.01
    )


def test_outcomes_tell_the_brokers_clock_only_and_silence_tells_nothing(read: Read) -> None:
    found, _ = read([(0, 0.5, None, 0.0)])
    assert list(found) == ["the broker that leads partition 0 of the journal"]
    assert read()[0] == {}
