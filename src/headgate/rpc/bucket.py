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
        self._burst = float(burst or max(1, math.floor(rate)))
        self._tokens = self._burst
        self._counted = now

    def take(self, now: float) -> float:
        """Take one token and return 0, or return how many seconds are left until there is one."""
        if not self._rate:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._counted) * self._rate)
        self._counted = now
        # Less than a whole token by rounding alone would wait for a time too short to pass.
        if self._tokens > 1 - 1e-9:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate
