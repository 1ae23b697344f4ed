"""When Flink wakes a Gate: a timer of each shard, for the first of its instances that is due."""

from __future__ import annotations

from typing import Any

ALARM_STEP_MS = 50
"""Wake-ups are gathered so far apart: instances that started within the same moment are woken by
one timer. A re-send is due after a second and more, a retry's wait is jittered by more than this.
"""


class Alarms:
    """The timers that are set, by shard. Times are Gate's clock; Flink's is this machine's."""

    def __init__(self) -> None:
        self._set: dict[int, int] = {}

    def rang(self, number: int) -> None:
        """Note that a shard's timer has fired."""
        self._set.pop(number, None)

    def forget(self) -> None:
        """Set new ones with what comes next: these were set by a clock that has been corrected."""
        self._set.clear()

    def see_to(self, number: int, wanted_ms: int, ctx: Any, *, now_ms: int, ahead_ms: int) -> None:
        """Have a shard woken at a time; its key must be Flink's current one.

        ahead_ms: of Gate's clock over this machine's.
        """
        # In the future: Flink fires what is past before it goes on to anything else.
        wanted_ms = max(wanted_ms, now_ms + 1)
        alarm = self._set.get(number, 0)
        if not alarm or wanted_ms < alarm - ALARM_STEP_MS:
            alarm = -(-wanted_ms // ALARM_STEP_MS) * ALARM_STEP_MS
            self._set[number] = alarm
            ctx.timer_service().register_processing_time_timer(alarm - ahead_ms)
