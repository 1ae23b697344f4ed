"""How long Gate waits before it first sends a request again.

At ease that is a second: a request lost with a worker is missed no longer. When turns wait their
turn for seconds, a wake-up for each after one second would be most of Gate's work and find nothing
lost; so Gate waits twice as long as turns take of late, within bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_MS = 1_000
MOST_MS = 15_000
"""What a request that a crash lost may wait at worst before it is sent again, in a job so
loaded, or with calls so long, that turns take half of it anyway.
"""

_WEIGHT = 1 / 64
"""Share of the newest turn in the mean: a burst of slow turns counts after some dozens."""


@dataclass(slots=True)
class Patience:
    """Follows how long turns take, from request to outcome."""

    _mean_ms: float = 0.0

    def learn(self, took_ms: int) -> None:
        """Take in how long a turn took, milliseconds."""
        self._mean_ms += (took_ms - self._mean_ms) * _WEIGHT

    @property
    def milliseconds(self) -> int:
        """How long to wait now."""
        return min(MOST_MS, max(LEAST_MS, int(2 * self._mean_ms)))
