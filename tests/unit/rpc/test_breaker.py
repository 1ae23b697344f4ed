"""The circuit breaker as a table of times."""

from headgate.rpc.breaker import Breaker
from headgate.v1.connection_pb2 import Breaker as Settings

SETTINGS = Settings(failures=3, pause_ms=1_000, pause_max_ms=3_000)


def opened(at: float = 10.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    assert [breaker.failed(at, began=at) for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_after_failures_without_a_success_between_them() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(2):
        breaker.failed(1.0, began=1.0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(2.0, began=2.0)
    assert breaker.allows(2.0)
    assert breaker.failed(2.0, began=2.0)
    assert not breaker.allows(2.0)


def test_after_the_pause_it_lets_as_many_calls_try_as_it_took_failures() -> None:
    breaker = opened()
    assert not breaker.allows(10.9)
    for _ in range(3):
        assert breaker.allows(11.0)
        breaker.called()
    assert not breaker.allows(11.0)
    breaker.succeeded()
    assert breaker.allows(11.0)
    assert breaker.is_closed


def test_pauses_double_up_to_the_longest() -> None:
    breaker, now, pauses = opened(), 10.0, []
    for _ in range(4):
        pauses.append(breaker.ends - now)
        now = breaker.ends
        assert breaker.failed(now, began=now)
    assert pauses == [1.0, 2.0, 3.0, 3.0]
    breaker.succeeded()
    assert [breaker.failed(now, began=now) for _ in range(3)] == [False, False, True]
    assert breaker.ends - now == 1.0


def test_what_began_before_the_pause_ended_does_not_lengthen_it() -> None:
    breaker = opened()
    assert not breaker.failed(10.5, began=9.0)
    assert not breaker.failed(11.5, began=9.0)
    assert breaker.ends == 11.0
    assert breaker.allows(11.5)


def test_a_trial_that_ends_without_a_verdict_makes_room_for_another() -> None:
    breaker = opened()
    for _ in range(3):
        breaker.called()
    assert not breaker.allows(11.0)
    breaker.ended()
    assert breaker.allows(11.0)
    breaker.called()
    assert not breaker.allows(11.0)


def test_one_that_is_off_never_opens() -> None:
    breaker = Breaker(Settings(off=True))
    assert not any(breaker.failed(1.0, began=1.0) for _ in range(100))
    assert breaker.allows(1.0)
