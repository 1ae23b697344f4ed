"""A Gate that hears nothing of its Invoke greets it anew, without a cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.flink.horizon import SILENCE_SECONDS, UNHEARD_SECONDS
from headgate.flink.rows import REQUESTED
from headgate.v1.turn_pb2 import InvokeRequest, JournalRecord, Tick
from tests.flink.test_gate import KEYS, Context, Stored, fresh_gate, make_ready


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gate's clocks, in the test's hand."""
    made = SimpleNamespace(seconds=1_000.0)
    seen = SimpleNamespace(
        time_ns=lambda: int(made.seconds * 10**9), monotonic=lambda: made.seconds
    )
    monkeypatch.setattr("headgate.flink.gate.time", seen)
    return made


def greetings(gate: Any) -> int:
    """Let a timer ring; return how often Gate greeted Invoke."""
    made = gate.on_timer(0, Context(KEYS[0]))
    requests = [InvokeRequest.FromString(each[1]) for each in made if each[0] is REQUESTED]
    return sum(each.hello.nonce == gate._readiness.nonce for each in requests)


def tick(gate: Any, nonce: bytes) -> None:
    """Let a tick of an Invoke come through the journal."""
    raw = JournalRecord(tick=Tick(nonce=nonce, partitions=2)).SerializeToString()
    gate.process_element2((KEYS[0], raw, 0, 9, 1_000_000), Context())


@pytest.mark.parametrize("is_ready", [True, False])
def test_nobody_there_is_greeted_again_and_again(clock: Any, *, is_ready: bool) -> None:
    gate = fresh_gate(Stored(), Stored())
    if is_ready:
        make_ready(gate)
    assert greetings(gate) == (0 if is_ready else 1), "the first is of the start"
    clock.seconds += UNHEARD_SECONDS
    assert [greetings(gate) for _ in range(3)] == [1, 0, 0]
    clock.seconds += UNHEARD_SECONDS
    assert greetings(gate) == 1


def test_who_ticks_is_not_greeted(clock: Any) -> None:
    gate = fresh_gate(Stored(), Stored())
    make_ready(gate)
    for _ in range(4):
        clock.seconds += UNHEARD_SECONDS - 1
        tick(gate, gate._readiness.nonce)
        assert greetings(gate) == 0
    # A worker of a life before may tick on: that is no sign of this life's.
    clock.seconds += UNHEARD_SECONDS
    tick(gate, b"another life")
    assert greetings(gate) == 1


def test_who_is_dead_is_missed_before_somebody_complains() -> None:
    """Each failover that follows takes a second greeting and half a minute besides."""
    assert 2 * SILENCE_SECONDS < UNHEARD_SECONDS <= 30
