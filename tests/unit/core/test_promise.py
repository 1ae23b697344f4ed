"""Re-sends: only of what Invoke may have lost, and not sooner than turns take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.core import patience
from headgate.core.codec import decode_control, encode_control
from headgate.core.dispatch import rests_until
from headgate.core.machine import step
from headgate.core.model import EventArrived, SendRequest, Snapshot, Surroundings, TimerFired
from headgate.core.patience import Patience
from headgate.core.readiness import Readiness
from headgate.v1.turn_pb2 import Controlled, StoredControl, Tick
from tests.unit.core.build import ADDRESS, NOW_MS, Host, event

NONCE = b"12345678"


def tick(drops: int, *, nonce: bytes = NONCE, start: bool = False) -> Tick:
    return Tick(nonce=nonce, start=start, partition=0, partitions=1, drops=drops)


def sends(host: Host, around: Surroundings) -> int:
    """Fire the wake-up and count the requests that come of it."""
    stored = decode_control(host.state.SerializeToString(), ADDRESS)
    made = step(Snapshot(ADDRESS, stored, host.items), TimerFired(), around)
    assert made.control is not None
    host.control = encode_control(made.control)
    # Whatever is decided: while a turn is in flight, a wake-up is pending.
    assert made.control.wake_ms > around.now_ms
    return sum(isinstance(effect, SendRequest) for effect in made.effects)


def in_flight(promise: bytes) -> tuple[Host, Surroundings]:
    host = Host()
    around = Surroundings(NOW_MS, host.spec, promise=promise)
    made = step(Snapshot(ADDRESS, None, host.items), EventArrived(event(0)), around)
    assert made.control is not None
    host.control = encode_control(made.control)
    host.items = {name: value for name, value in made.puts.items() if value is not None}
    return host, replace(around, now_ms=NOW_MS + 1_000)


def test_what_is_under_a_promise_is_not_sent_again() -> None:
    host, later = in_flight(b"p1")
    assert sends(host, later) == 0


@pytest.mark.parametrize("now", [b"p2", b""], ids=["another promise", "none"])
def test_what_may_be_lost_is_sent_again_once(now: bytes) -> None:
    host, later = in_flight(b"p1")
    broken = replace(later, promise=now)
    assert sends(host, broken) == 1
    assert sends(host, broken) == 0, "not before it is due again"


def test_without_any_promise_the_age_alone_decides() -> None:
    host, later = in_flight(b"")
    assert sends(host, later) == 1
    assert sends(host, replace(later, now_ms=NOW_MS + 2_000)) == 1


def test_a_promise_ends_with_the_first_report_of_a_drop() -> None:
    readiness = Readiness(NONCE)
    before = readiness.promise
    readiness.see(tick(0, start=True))
    assert readiness.promise == before
    readiness.see(tick(1))
    told = readiness.promise
    assert told != before
    # The same drop, told in another partition; an older tick from a slower one.
    readiness.see(tick(1))
    readiness.see(tick(0))
    assert readiness.promise == told


def test_a_drop_before_the_start_tick_is_told_by_it() -> None:
    readiness = Readiness(NONCE)
    before = readiness.promise
    assert readiness.see(tick(3, start=True))
    assert readiness.promise != before


def test_another_life_has_other_promises_and_its_ticks_change_none() -> None:
    readiness = Readiness(NONCE)
    before = readiness.promise
    readiness.see(tick(9, nonce=b"another!"))
    assert readiness.promise == before
    assert Readiness(b"another!").promise != before


def test_the_first_resend_waits_as_long_as_it_is_told() -> None:
    host = Host()
    around = Surroundings(NOW_MS, host.spec, patience_ms=7_000)
    made = step(Snapshot(ADDRESS, None, {}), EventArrived(event(0)), around)
    assert made.set_timer_ms == NOW_MS + 7_000


def test_patience_is_a_second_at_ease_and_grows_with_what_turns_take() -> None:
    followed = Patience()
    assert followed.milliseconds == patience.LEAST_MS
    followed.learn(20)
    assert followed.milliseconds == patience.LEAST_MS
    for _ in range(1_000):
        followed.learn(4_000)
    assert 7_500 < followed.milliseconds <= 8_000
    for _ in range(1_000):
        followed.learn(600_000)
    assert followed.milliseconds == patience.MOST_MS
    for _ in range(2_000):
        followed.learn(20)
    assert followed.milliseconds == patience.LEAST_MS


@pytest.mark.parametrize("promise", [b"p1", b"p2", b""], ids=["kept", "another", "none"])
@pytest.mark.parametrize("after_ms", [1_000, 5_000, 600_000])
def test_an_instance_rests_only_where_a_step_would_do_nothing(
    promise: bytes, after_ms: int
) -> None:
    host, around = in_flight(b"p1")
    later = replace(around, promise=promise, now_ms=NOW_MS + after_ms)
    rest_ms = rests_until(host.state, later)
    stored = decode_control(host.state.SerializeToString(), ADDRESS)
    made = step(Snapshot(ADDRESS, stored, host.items), TimerFired(), later)
    assert bool(rest_ms) == (not made.effects)
    if rest_ms:
        assert made.control is not None
        assert rest_ms == made.control.wake_ms


def test_an_instance_with_a_wish_or_nothing_in_flight_does_not_rest() -> None:
    host, later = in_flight(b"p1")
    wished = host.state
    wished.pending_controls.add(control_id="c1", verb=Controlled.CANCEL)
    assert rests_until(wished, later) == 0
    assert rests_until(StoredControl(mailbox_tail=1), later) == 0
