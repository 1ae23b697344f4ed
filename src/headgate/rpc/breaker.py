"""When an endpoint is left out: a circuit breaker that knows time only as it is told.

Closed: calls flow. After ``failures`` failures without a success between them it opens for a
pause. Then it is half open: as many calls as it took failures are let through to try it. One
success closes it, one failure opens it again, for twice as long.

Several calls on trial instead of one: a single turn that hangs for its whole deadline would
otherwise keep its neighbours out for as long.
"""

from __future__ import annotations

from headgate.v1.connection_pb2 import Breaker as Settings

FAILURES = 5
"""Fewer, and the restart of a service could leave it out; more, and a pool with one dead endpoint
pays many calls to learn it."""

PAUSE_SECONDS = 1.0
PAUSE_AT_MOST_SECONDS = 30.0


class Breaker:
    """One endpoint's breaker. Times are seconds of any clock that never goes back."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings; what they leave at 0 has a default."""
        self.trips = 0
        self._is_off = settings.off
        self._limit = settings.failures or FAILURES
        self._first = settings.pause_ms / 1000 or PAUSE_SECONDS
        self._longest = settings.pause_max_ms / 1000 or PAUSE_AT_MOST_SECONDS
        self._failures = 0
        self._pause = 0.0
        self._opened = 0.0
        self._on_trial = 0

    @property
    def is_closed(self) -> bool:
        """Tell whether calls flow freely."""
        return not self._pause

    @property
    def ends(self) -> float:
        """When the pause ends, or ended."""
        return self._opened + self._pause

    def allows(self, now: float) -> bool:
        """Tell whether a call may be made now."""
        return not self._pause or (now >= self.ends and self._on_trial < self._limit)

    def called(self) -> None:
        """Note that a call is made."""
        if self._pause:
            self._on_trial += 1

    def ended(self) -> None:
        """Note that a call is over, with or without a verdict: its place on trial is free."""
        self._on_trial = max(0, self._on_trial - 1)

    def succeeded(self) -> None:
        """Note an answer."""
        self._failures = self._on_trial = 0
        self._pause = 0.0

    def failed(self, now: float, *, began: float) -> bool:
        """Note a failure of something that began at ``began``; True if the breaker opens by it.

        What began before the last opening tells nothing new: with many calls in flight their
        deadlines would double the pause once each.
        """
        if self._is_off or (self._pause and began < self.ends):
            return False
        self._failures += 1
        if not self._pause and self._failures < self._limit:
            return False
        self._pause = min(self._pause * 2, self._longest) or self._first
        self._opened = now
        self._on_trial = 0
        self.trips += 1
        return True
