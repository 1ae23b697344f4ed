"""Gate with next to no memory: whatever it forgets it reads again, and loses no time by it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from headgate.core.batch import pack_records
from headgate.core.codec import CONTROL_VERSION
from headgate.core.identity import genesis_base, next_base
from headgate.flink import shard
from headgate.flink.alarms import ALARM_STEP_MS
from headgate.flink.gate import STIR_MS
from headgate.flink.horizon import SILENCE_SECONDS
from headgate.flink.rows import REQUESTED
from headgate.v1.turn_pb2 import (
    DeadLetter,
    Failed,
    HistoryRecord,
    JournalRecord,
    StoredControl,
    Tick,
)
from tests.flink.test_gate import (
    KEYS,
    Context,
    Stored,
    completed,
    event_for,
    fresh_gate,
    journal,
    make_ready,
    name_of,
    requests_of,
    rows_of,
    shard_of,
    written,
)


class Time:
    """The clocks that Gate reads, in a test's hand; both go on together."""

    def __init__(self) -> None:
        self.ns = time.time_ns()

    def time_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 10**9

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * 10**9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr("headgate.flink.gate.time", made)
    return made


def ready_gate(entries: Stored, due: Stored) -> Any:
    made = fresh_gate(entries, due)
    made._outputs.give()
    make_ready(made)
    return made


def tell(gate: Any, **fields: Any) -> None:
    """Hand Gate a tick."""
    raw = JournalRecord(tick=Tick(partition=0, partitions=len(KEYS), **fields)).SerializeToString()
    gate.process_element2((KEYS[0], raw, 0, 9, 3_000), Context())


def arrive(gate: Any, address: str, number: int = 0, context: Context | None = None) -> Any:
    raw = event_for(address, number).SerializeToString()
    return gate.process_element1(raw, context or Context())


def fire(gate: Any, context: Context) -> Any:
    """Let Flink fire the last alarm that was asked for."""
    return gate.on_timer(context.timers[-1], context)


@pytest.mark.parametrize("remembered", [0, 1_000])
def test_a_rest_that_is_forgotten_holds_up_no_retry(
    monkeypatch: pytest.MonkeyPatch, clock: Time, remembered: int
) -> None:
    """A rest lives in memory alone; the control record that is read again knows an older alarm."""
    monkeypatch.setattr(shard, "REMEMBERED_INSTANCES", remembered)
    gate = ready_gate(Stored(), Stored())
    key = Context(KEYS[shard_of("order/1")])
    arrive(gate, "order/1", context=key)
    for seconds in (2, 4, 8, 16):
        clock.advance(seconds)
        tell(gate, nonce=gate._readiness.nonce)
        assert fire(gate, key) == [], "it rests"
    rests_ms = gate._shards[shard_of("order/1")].next_wake_ms() - clock.ns // 10**6
    assert rests_ms > 10_000
    assert key.timers[-1] - clock.ns // 10**6 <= STIR_MS + ALARM_STEP_MS, "the shard does not"
    failed = completed("1")
    failed.failed.CopyFrom(Failed(retry_after_ms=100, names_event=True, blamed=bytes(16)))
    del failed.taken[:]
    raw = JournalRecord(outcome=failed).SerializeToString()
    row = (KEYS[shard_of("order/1")], raw, shard_of("order/1"), 17, clock.ns // 10**6)
    gate.process_element2(row, key)
    assert key.timers[-1] - clock.ns // 10**6 <= 100 + ALARM_STEP_MS


def test_what_waits_in_a_newer_versions_state_keeps_its_name(
    monkeypatch: pytest.MonkeyPatch, clock: Time
) -> None:
    """The newer version that comes back has to find, by that name, what waits for a wake-up."""
    monkeypatch.setattr(shard, "IDLE_NAMES", 0)
    newer = StoredControl(schema_version=CONTROL_VERSION + 1).SerializeToString()
    due = Stored({"order/newer": b""})
    gate = fresh_gate(Stored({name_of("order/newer"): newer}), due)
    key = Context(KEYS[shard_of("order/newer")])
    gate.on_timer(clock.ns // 10**6, key)
    assert list(due) == ["order/newer"]
    assert key.timers[-1] > clock.ns // 10**6, "it does not come back at once"


def test_a_dead_lifes_ticks_are_no_sign_of_life(clock: Time) -> None:
    gate = ready_gate(Stored(), Stored())
    key = Context(KEYS[shard_of("order/1")])
    arrive(gate, "order/1", context=key)
    clock.advance(SILENCE_SECONDS + 1)
    tell(gate, nonce=b"a zombie")
    assert len(requests_of(fire(gate, key))) == 1
    clock.advance(SILENCE_SECONDS + 1)
    tell(gate, nonce=gate._readiness.nonce)
    fire(gate, key)
    clock.advance(SILENCE_SECONDS + 1)
    tell(gate, nonce=gate._readiness.nonce)
    assert fire(gate, key) == [], "it is told, and rests"


def test_what_is_wrong_in_a_batch_costs_the_others_nothing() -> None:
    gate = ready_gate(Stored(), Stored())
    keys = [str(n) for n in range(20) if shard_of(f"order/{n}") == 0][:2]
    for key in keys:
        arrive(gate, f"order/{key}")
    first, last = (JournalRecord(outcome=completed(key)).SerializeToString() for key in keys)
    batch = pack_records([first, b"\xff\xff", last, JournalRecord().SerializeToString()])
    row = (KEYS[0], batch, 0, 17, 2_000)
    out = gate.process_element2(row, Context())
    told = [HistoryRecord.FromString(value).outcome.key for value in written(out, "history")]
    assert told == keys
    letters = [DeadLetter.FromString(value) for value in written(out, "dead-letters")]
    assert [letter.id for letter in letters] == ["journal/0/17/1", "journal/0/17/3"]


def test_two_turns_of_one_instance_in_one_record_apply_with_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the first changed is not written yet when the second is read."""
    monkeypatch.setattr(shard, "REMEMBERED_INSTANCES", 1)
    monkeypatch.setattr(shard, "REMEMBERED_BYTES", 0)
    keys = [str(n) for n in range(20) if shard_of(f"order/{n}") == 0][:2]
    gate = ready_gate(Stored(), Stored())
    after = next_base(genesis_base(f"order/{keys[0]}"), b"o" * 16)
    second = completed(keys[0], outcome_id=b"p" * 16, base=after)
    second.taken[0].fingerprint = b"2" * 16
    journal(gate, completed(keys[0]), completed(keys[1]), second, shard=0)
    stored = StoredControl.FromString(gate._entries[name_of(f"order/{keys[0]}")])
    assert stored.turn == 2
    assert stored.base == next_base(after, b"p" * 16)


def test_a_restored_gate_hands_over_what_it_held_back_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headgate.core.batch.REQUESTS_BYTES", 1_000)
    gate = fresh_gate(Stored(), Stored())
    gate._outputs.give()
    for number in range(50):
        arrive(gate, f"order/{number}")
    out = make_ready(gate)
    assert len(requests_of(out)) == 50
    assert len(out) > 3
    assert all(len(value) < 1_200 for value in rows_of(out, REQUESTED))


def test_what_is_not_held_back_for_want_of_room_is_made_again(
    monkeypatch: pytest.MonkeyPatch, clock: Time
) -> None:
    monkeypatch.setattr("headgate.flink.outputs.HELD_BYTES", 1_000)
    gate = fresh_gate(Stored(), Stored())
    gate._outputs.give()
    addresses = [f"order/{number}" for number in range(20)]
    contexts = [Context(key) for key in KEYS]
    for address in addresses:
        arrive(gate, address, context=contexts[shard_of(address)])
    for address, held in dict(gate._outputs._held_back).items():
        # Again, as a wake-up does: it takes no more room.
        gate._outputs._request(address, held)
    kept = sum(len(held.raw) for held in gate._outputs._held_back.values())
    assert gate._outputs._held_bytes == kept <= 1_000
    first = requests_of(make_ready(gate))
    assert 0 < len(first) < len(addresses)
    clock.advance(2)
    tell(gate, nonce=gate._readiness.nonce)
    later = [each for context in contexts for each in requests_of(fire(gate, context))]
    assert {f"order/{each.call.request.key}" for each in later} == set(addresses)


def test_letters_of_one_batch_have_ids_of_their_own() -> None:
    """Each is the only copy of an outcome that a newer version's instance is to get."""
    addresses = [f"order/{n}" for n in range(20) if shard_of(f"order/{n}") == 0][:2]
    newer = StoredControl(schema_version=CONTROL_VERSION + 1).SerializeToString()
    gate = ready_gate(Stored({name_of(address): newer for address in addresses}), Stored())
    outcomes = [completed(address.partition("/")[2]) for address in addresses]
    letters = [DeadLetter.FromString(value) for _, _, value in journal(gate, *outcomes, shard=0)]
    assert {letter.address: letter.id for letter in letters} == {
        addresses[0]: "journal/0/17",
        addresses[1]: "journal/0/17/1",
    }
