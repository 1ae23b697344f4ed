"""The brokers' clock, as a Gate knows it from its Invoke's ticks.

Turns are dated by the journal's log-append times, and so are the ends of pauses and timers that
follow from them. Where the TaskManager's clock stood an hour behind the brokers', each pause of a
second took an hour; an hour before them, timers fired an hour early.
"""

from __future__ import annotations

PERIOD_SECONDS = 5.0
"""A tick that waited for a broker looks like a clock that runs ahead, by as long as it waited. The
promptest tick of such a time is believed: within one are those that followed a pause.
"""

TOLERATED_MS = 1_000
"""Clocks that differ by less are left as they are: what is known of them is no better."""


class BrokersClock:
    """Learns by how much the brokers' clock is ahead of this machine's, milliseconds."""

    def __init__(self) -> None:
        self.ahead_ms = 0
        self._until = 0.0
        self._least_ms: int | None = None

    def hear(self, written_us: int, appended_ms: int, monotonic: float) -> bool:
        """Take a tick of one's own Invoke; tell whether the clock has been put.

        >>> clock = BrokersClock()
        >>> clock.hear(1_000_000, 61_000, 100.0), clock.hear(61_000_000, 61_005, 101.0)
        (False, False)
        >>> clock.hear(66_000_000, 66_005, 106.0), clock.ahead_ms
        (False, 0)
        >>> [clock.hear(at * 1_000_000, (3_600 + at) * 1_000, at) for at in (107, 112, 118)]
        [False, False, True]
        >>> clock.ahead_ms
        3600000
        """
        if not written_us:
            return False
        found_ms = appended_ms - written_us // 1_000
        if self._least_ms is not None and monotonic < self._until:
            self._least_ms = min(self._least_ms, found_ms)
            return False
        before_ms = self.ahead_ms
        if self._least_ms is not None:
            self.ahead_ms = 0 if abs(self._least_ms) < TOLERATED_MS else self._least_ms
        self._least_ms, self._until = found_ms, monotonic + PERIOD_SECONDS
        return abs(self.ahead_ms - before_ms) >= TOLERATED_MS
