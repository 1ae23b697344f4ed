"""Idle state asks for its own end, once, and loses against an event."""

from __future__ import annotations

from headgate.core.model import Decide, RecordHistory, SendRequest
from headgate.v1.turn_pb2 import Controlled, HistoryRecord
from tests.unit.core.build import NOW_MS, Host, call_of, completed, decision_of, event

TTL_MS = 60_000


def used(host: Host) -> None:
    """Take a turn that leaves a value and a list."""
    assert host.spec is not None
    host.spec.policy.state_ttl_ms = TTL_MS
    outcome = completed(call_of(host.arrive(event(1))))
    outcome.mutations.add(name="count", set=b"1")
    outcome.mutations.add(name="notes", append=b"n")
    host.read(outcome)


def test_an_idle_instance_expires_and_is_not_woken_again() -> None:
    host = Host()
    used(host)
    before = host.state
    assert before.wake_ms, "an earlier wake-up may stay, but one there must be"
    host.now_ms = NOW_MS + TTL_MS - 1
    made = host.fire()
    assert made.effects == []
    assert made.wake_ms == NOW_MS + TTL_MS
    host.now_ms += 1
    decided = decision_of(host.fire())
    assert decided.controlled.verb == Controlled.EXPIRE
    assert (decided.base, decided.turn) == (before.base, 2)
    # Asked for again, it is the same outcome.
    host.now_ms = host.state.wake_ms
    assert decision_of(host.fire()) == decided
    made = host.read(decided)
    after = host.state
    assert (after.turn, dict(after.values), dict(after.logs)) == (2, {}, {})
    assert after.base != before.base
    [told] = [each.value for each in made.effects if isinstance(each, RecordHistory)]
    assert HistoryRecord.FromString(told).outcome.controlled.reason == "idle for 60000 ms"
    host.now_ms = after.wake_ms or host.now_ms
    made = host.fire()
    assert (made.effects, made.wake_ms) == ([], 0)
    assert set(host.stored_items) <= {name for name in host.stored_items if name[0] in "fw"}


def test_turns_that_the_wish_did_not_know_of_keep_the_state() -> None:
    """A replay: the wish stands in the checkpoint, the journal has a turn on its base."""
    host = Host()
    used(host)
    unknown = completed(call_of(host.arrive(event(2))), 9)
    host.read(unknown)
    restored = Host(host.control, dict(host.items), spec=host.spec)
    call = call_of(host.arrive(event(3)))
    restored.now_ms = NOW_MS + TTL_MS + 1
    restored.fire()
    assert [each.verb for each in restored.state.pending_controls] == [Controlled.EXPIRE]
    made = restored.read(completed(call, 8))
    assert (list(restored.state.pending_controls), made.note) == ([], "applied")
    assert not any(isinstance(each, Decide) for each in made.effects)
    assert dict(restored.state.values) == {"count": 1}


def test_no_call_is_made_on_a_base_that_is_about_to_pass() -> None:
    host = Host()
    used(host)
    host.now_ms = NOW_MS + TTL_MS
    host.fire()
    made = host.arrive(event(2))
    assert not any(isinstance(each, SendRequest) for each in made.effects)


def test_what_waits_gets_the_fresh_state() -> None:
    host = Host()
    used(host)
    host.now_ms = NOW_MS + TTL_MS
    decided = decision_of(host.fire())
    host.arrive(event(2))
    call = call_of(host.read(decided))
    assert dict(call.request.state.values) == {}
    assert [each.id for each in call.request.events] == ["shop/0/2"]


def test_without_state_or_policy_nobody_is_woken() -> None:
    host = Host()
    host.read(completed(call_of(host.arrive(event(1)))))
    host.now_ms = host.state.wake_ms or NOW_MS
    assert host.fire().wake_ms == 0
    host = Host()
    used(host)
    assert host.spec is not None
    host.spec.policy.state_ttl_ms = 0
    host.now_ms = NOW_MS + 10 * TTL_MS
    made = host.fire()
    assert (made.effects, made.wake_ms) == ([], 0)


def test_a_parked_instance_keeps_its_state() -> None:
    host = Host()
    used(host)
    host.read(decision_of(host.wish(Controlled.PARK)))
    host.now_ms = NOW_MS + 10 * TTL_MS
    assert host.fire().effects == []
