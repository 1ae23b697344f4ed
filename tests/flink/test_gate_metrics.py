"""What Gate shows of itself, without a cluster: once a second, and right again in its next life."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.core.batch import pack_records
from headgate.core.calls import calls_made
from headgate.v1.agent_pb2 import Usage
from headgate.v1.turn_pb2 import JournalRecord, Outcome
from tests.flink.test_gate import (
    KEYS,
    Context,
    Stored,
    completed,
    event_for,
    fresh_gate,
    give,
    journal,
    make_ready,
    shard_of,
)


class Clock:
    """Gate's clock, which goes on a second with every look at the figures."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ns = began = time.time_ns()
        seen = SimpleNamespace(
            time_ns=lambda: self.ns,
            # Of a machine that was started before: whole seconds of it are exact.
            monotonic=lambda: 1_000 + (self.ns - began) / 1e9,
        )
        monkeypatch.setattr("headgate.flink.gate.time", seen)

    def value(self, gate: Any, name: str, *labels: str) -> int:
        """Let a second pass and a record come, and return what Gate shows then."""
        self.ns += 10**9
        gate.on_timer(0, Context(KEYS[0]))
        values: dict[tuple[str, ...], int] = gate._exposed._group.values
        return values[f"headgate_{name}", *(labels or ("agent=order",))]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock in the test's hand."""
    return Clock(monkeypatch)


def life(entries: Stored, due: Stored, parked: Stored) -> Any:
    """Begin a life on this state; its Invoke is there."""
    made = fresh_gate(entries, due, parked)
    make_ready(made)
    return made


def parks(key: str) -> Outcome:
    """A first turn that fails and parks its instance."""
    made = completed(key)
    made.ClearField("taken")
    made.failed.park = True
    return made


def test_what_stands_and_what_has_happened_is_shown(clock: Clock) -> None:
    gate = life(Stored(), Stored(), Stored())
    for number in range(3):
        give(gate, f"order/{number}")
    repeated = event_for("order/2", 1)
    repeated.event.has_id = True
    for _ in range(2):
        gate.process_element1(repeated.SerializeToString(), Context())
    assert clock.value(gate, "mailbox_events") == 4
    assert clock.value(gate, "turns_in_flight") == 3
    assert clock.value(gate, "events_joined_total") == 4
    assert clock.value(gate, "events_duplicate_total") == 1
    assert clock.value(gate, "oldest_waiting_milliseconds") == 5_000
    journal(gate, completed("0"), shard=shard_of("order/0"))
    assert clock.value(gate, "turns_total") == 1
    assert clock.value(gate, "turns_in_flight") == 2
    # A second outcome on the same base, as a worker that was thought dead may write.
    journal(gate, completed("0", outcome_id=b"z" * 16), shard=shard_of("order/0"))
    assert clock.value(gate, "outcomes_late_total") == 1


def test_calls_that_are_told_by_other_bounds_are_within_the_next_of_ones_own(clock: Clock) -> None:
    gate = life(Stored(), Stored(), Stored())
    give(gate, "order/0")
    outcome = completed("0")
    outcome.called_us, outcome.answered_us = 1, 20_001
    records = [JournalRecord(outcome=outcome).SerializeToString()] * 2
    made = calls_made([outcome, outcome])
    assert [*made.agents[0].within_ms] == [25]
    made.agents[0].within_ms[:] = [11]
    shard = shard_of("order/0")
    gate.process_element2((KEYS[shard], pack_records(records, made), shard, 17, 2_000), Context())
    assert clock.value(gate, "call_milliseconds_bucket", "agent=order", "le=10") == 0
    assert clock.value(gate, "call_milliseconds_bucket", "agent=order", "le=25") == 2


@pytest.mark.parametrize("tells", [True, False])
def test_calls_count_once_whether_their_record_tells_of_them_or_is_of_an_older_writer(
    clock: Clock, *, tells: bool
) -> None:
    gate = life(Stored(), Stored(), Stored())
    keys = [str(n) for n in range(9) if shard_of(f"order/{n}") == shard_of("order/0")]
    assert len(keys) > 2
    outcomes = []
    for key in keys:
        give(gate, f"order/{key}")
        outcome = completed(key)
        outcome.called_us, outcome.answered_us = 1, 20_001
        outcome.usage.append(Usage(model="m", input_tokens=5))
        outcomes.append(outcome)
    # One that came too late was made, and paid, too.
    outcomes.append(outcomes[-1])
    journal(gate, *outcomes, shard=shard_of("order/0"), tells=tells)
    assert clock.value(gate, "turns_total") == len(keys)
    assert clock.value(gate, "outcomes_late_total") == 1
    assert clock.value(gate, "call_milliseconds_sum") == 20 * len(outcomes)
    tokens = clock.value(gate, "tokens_total", "agent=order", "model=m", "kind=input")
    assert tokens == 5 * len(outcomes)
    # The next record is one outcome by itself, of which nothing is told apart.
    give(gate, "order/99")
    single = completed("99")
    single.called_us, single.answered_us = 1, 7_001
    journal(gate, single, shard=shard_of("order/99"))
    assert clock.value(gate, "call_milliseconds_sum") == 20 * len(outcomes) + 7


def test_within_a_second_java_is_left_alone(clock: Clock) -> None:
    gate = life(Stored(), Stored(), Stored())
    assert clock.value(gate, "events_joined_total") == 0
    give(gate, "order/1")
    values = gate._exposed._group.values
    assert values["headgate_events_joined_total", "agent=order"] == 0
    assert clock.value(gate, "events_joined_total") == 1


def test_the_next_life_knows_who_is_parked_and_learns_who_waits(clock: Clock) -> None:
    entries, due, parked = Stored(), Stored(), Stored()
    first = life(entries, due, parked)
    # Of one shard: the states of these tests know no keys.
    one, two = [f"{n}" for n in range(20) if shard_of(f"order/{n}") == 0][:2]
    give(first, f"order/{one}")
    give(first, f"order/{two}")
    journal(first, parks(one), shard=0)
    assert clock.value(first, "parked_instances") == 1
    assert clock.value(first, "mailbox_events") == 1, "a parked one waits for no turn"

    # So soon that there is nothing to do for the one that waits but to look at it.
    clock.ns -= 10 * 10**9
    second = life(entries, due, parked)
    second._shards.pop(1, None)
    second._metrics._parked.pop(1, None)
    assert clock.value(second, "parked_instances") == 1
    assert clock.value(second, "mailbox_events") == 1
    assert clock.value(second, "turns_in_flight") == 1
    assert clock.value(second, "turns_total") == 0, "counters are those of a life"


def test_what_is_given_up_is_counted_by_reason(clock: Clock) -> None:
    gate = life(Stored(), Stored(), Stored())
    gate.process_element2(("order/1", b"\xff", 0, 4, 2_000), Context())
    assert clock.value(gate, "dead_letters_total", "agent=none") == 1
    labels = "agent=none", "reason=bad_journal_record"
    assert clock.value(gate, "dead_letter_reasons_total", *labels) == 1
