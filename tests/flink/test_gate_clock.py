"""A Gate whose machine's clock is not the brokers': pauses are as long as they were asked to be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.v1.turn_pb2 import Failed, JournalRecord, Outcome, Tick
from tests.flink.test_gate import (
    KEYS,
    Context,
    Stored,
    event_for,
    fresh_gate,
    make_ready,
    requests_of,
    shard_of,
)

HOUR_MS = 3_600_000
PAUSE_MS = 3_000
ADDRESS = "order/1"


class Machine:
    """A Gate, the clock of its machine, and that of the brokers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.true_ms = 1_800_000_000_000
        self.own_ahead_ms = self.brokers_ahead_ms = 0
        clock = SimpleNamespace(
            time_ns=lambda: (self.true_ms + self.own_ahead_ms) * 1_000_000,
            monotonic=lambda: self.true_ms / 1_000,
        )
        monkeypatch.setattr("headgate.flink.gate.time", clock)
        self.context = Context(KEYS[shard_of(ADDRESS)])
        self.gate: Any = fresh_gate(Stored(), Stored())
        self.gate._outputs.give()
        make_ready(self.gate)
        # Those that were set so far ring nowhere.
        self.gate._alarms.forget()

    @property
    def appended_ms(self) -> int:
        """The brokers' clock."""
        return self.true_ms + self.brokers_ahead_ms

    def go_on(self, seconds: int) -> None:
        """Let ticks come, and Flink's alarms ring."""
        for _ in range(seconds):
            self.true_ms += 1_000
            due = [each for each in self.context.timers if each <= self.true_ms + self.own_ahead_ms]
            for timer in due:
                self.context.timers.remove(timer)
                self.gate.on_timer(timer, self.context)
            for partition, key in enumerate(KEYS):
                tick = Tick(nonce=self.gate._readiness.nonce, partition=partition, partitions=2)
                tick.written_us = (self.true_ms + self.own_ahead_ms) * 1_000
                raw = JournalRecord(tick=tick).SerializeToString()
                self.gate.process_element2((key, raw, partition, 9, self.appended_ms), self.context)

    def fail(self, number: int) -> None:
        """Send an event, and journal that it is to be tried later."""
        raw = event_for(ADDRESS, number).SerializeToString()
        [request] = requests_of(self.gate.process_element1(raw, self.context))
        outcome = Outcome(agent_type="order", key="1", base=request.call.request.base)
        outcome.turn, outcome.outcome_id = request.call.request.turn, bytes([number]) * 16
        outcome.failed.CopyFrom(
            Failed(retry_after_ms=PAUSE_MS, names_event=True, blamed=number.to_bytes(16, "big"))
        )
        appended = (KEYS[shard_of(ADDRESS)], JournalRecord(outcome=outcome).SerializeToString())
        row = (*appended, shard_of(ADDRESS), 17, self.appended_ms)
        assert not requests_of(self.gate.process_element2(row, self.context))

    def await_retry(self) -> int:
        """Let Flink's alarms ring until the event is tried again; return after how long."""
        began = self.true_ms
        while self.true_ms < began + 2 * HOUR_MS:
            self.true_ms = min(self.context.timers) - self.own_ahead_ms
            timer = min(self.context.timers)
            self.context.timers.remove(timer)
            if requests_of(self.gate.on_timer(timer, self.context)):
                break
        return self.true_ms - began


@pytest.mark.parametrize(("own", "brokers"), [(0, HOUR_MS), (HOUR_MS, 0), (-HOUR_MS, 0), (0, 0)])
def test_a_pause_lasts_as_long_as_asked_for(
    monkeypatch: pytest.MonkeyPatch, own: int, brokers: int
) -> None:
    machine = Machine(monkeypatch)
    machine.go_on(12)
    machine.own_ahead_ms, machine.brokers_ahead_ms = own, brokers
    machine.go_on(12)
    machine.fail(1)
    assert PAUSE_MS <= machine.await_retry() < PAUSE_MS + 1_000


def test_ticks_that_waited_for_a_broker_are_no_clock_that_is_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    machine.go_on(12)
    gate = machine.gate
    for waited in range(60, -1, -1):
        tick = Tick(nonce=gate._readiness.nonce, partitions=2)
        tick.written_us = (machine.true_ms - waited * 1_000) * 1_000
        raw = JournalRecord(tick=tick).SerializeToString()
        gate.process_element2((KEYS[0], raw, 0, 9, machine.true_ms), Context())
    machine.go_on(12)
    assert gate._clock.ahead_ms == 0


def test_figures_are_brought_up_to_date_by_a_clock_that_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    # Not for so long that Gate could learn that it was wrong.
    machine.own_ahead_ms = HOUR_MS
    machine.go_on(2)
    machine.own_ahead_ms = 0
    raw = event_for(ADDRESS, 1).SerializeToString()
    machine.gate.process_element1(raw, machine.context)
    machine.go_on(2)
    shown = machine.gate._exposed._group.values
    assert shown["headgate_events_joined_total", "agent=order"] == 1
