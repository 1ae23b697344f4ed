"""The token bucket as arithmetic."""

import doctest

import pytest

import headgate.rpc.bucket
from headgate.rpc.bucket import TokenBucket


def begun(bucket: TokenBucket, until: float) -> int:
    """How many calls begin until then, each as soon as it may."""
    now, count = 0.0, 0
    while now <= until + 1e-6:
        wait = bucket.take(now)
        count += not wait
        now += wait
    return count


@pytest.mark.parametrize(
    ("rate", "burst", "expected"), [(10.0, 1, 51), (10.0, 0, 60), (10.0, 25, 75), (0.5, 0, 3)]
)
def test_in_the_long_run_the_rate_holds(rate: float, burst: int, expected: int) -> None:
    assert begun(TokenBucket(rate, burst, 0.0), 5.0) == expected


def test_a_quiet_time_saves_no_more_than_the_burst() -> None:
    bucket = TokenBucket(10.0, 2, 0.0)
    assert [bucket.take(1_000.0) > 0 for _ in range(3)] == [False, False, True]


def test_without_a_rate_nothing_waits() -> None:
    bucket = TokenBucket(0.0, 0, 0.0)
    assert not any(bucket.take(0.0) for _ in range(1_000))


def test_the_docstring_says_what_happens() -> None:
    assert doctest.testmod(headgate.rpc.bucket).failed == 0


def test_to_ask_takes_nothing() -> None:
    bucket = TokenBucket(1.0, 1, 0.0)
    assert [bucket.wait(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(0.0) == 0.0
    assert bucket.wait(0.25) == pytest.approx(0.75)


def test_another_rate_keeps_what_was_saved_up_to_its_burst() -> None:
    bucket = TokenBucket(10.0, 0, 0.0)
    bucket.take(0.0)
    bucket.limit(3.0, 0, 0.0)
    assert [bucket.take(0.0) > 0 for _ in range(4)] == [False, False, False, True]
    bucket.limit(100.0, 0, 0.0)
    assert bucket.take(0.0) == pytest.approx(0.01)
