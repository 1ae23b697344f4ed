"""A token bucket: how soon the next call of an agent type may begin."""

from __future__ import annotations

import math


class TokenBucket:
    """Lets ``rate`` calls begin per second in the long run, and ``burst`` at once after a quiet
    time. Times are seconds of any clock that never goes back.

    >>> bucket = TokenBucket(rate=2.0, burst=1, now=0.0)
    >>> bucket.take(0.0), bucket.take(0.0), bucket.take(0.5)
    (0.0, 0.5, 0.0)
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        """Begin full. A rate of 0 is none; a burst of 0 is what a second allows, at least 1."""
        self._rate = rate
        self._burst = _burst_of(rate, burst)
        self._tokens = self._burst
        self._counted = now

    def take(self, now: float) -> float:
        """Take one token and return 0, or return how many seconds are left until there is one."""
        wait = self.wait(now)
        if self._rate and not wait:
            self._tokens -= 1
        return wait

    def wait(self, now: float) -> float:
        """Return how many seconds are left until there is a token, 0 if there is one."""
        if not self._rate:
            return 0.0
        self._count(now)
        # Less than a whole token by rounding alone would wait for a time too short to pass.
        if self._tokens > 1 - 1e-9:
            return 0.0
        return (1 - self._tokens) / self._rate

    def limit(self, rate: float, burst: int, now: float) -> None:
        """Go on at another rate: what has been saved up is kept, as far as the new burst allows."""
        self._count(now)
        self._rate, self._burst = rate, _burst_of(rate, burst)
        self._tokens = min(self._tokens, self._burst)

    def _count(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._counted) * self._rate)
        self._counted = now


def _burst_of(rate: float, burst: int) -> float:
    return float(burst or max(1, math.floor(rate)))
