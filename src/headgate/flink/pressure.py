"""Full mailboxes that hold the source back: Gate counts them, intake pauses while there are any.

Both run in one process, as operators of one job do in a TaskManager. Intake is where to pause: it
is chained to the source, so that a checkpoint's barrier waits for one record at most, and what is
on its way to Gate goes on. Gate itself must not: it would hold the journal up, and the turns in it
are what makes room.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable

PAUSE_SECONDS = 0.05
"""Longest pause before a record. A parked instance stays full until somebody resumes it: the job
must go on meanwhile, if slowly, a checkpoint must get through, and the control that resumes it
stands behind some 150 records that were fetched before. So twenty a second."""


class Pressure:
    """How many mailboxes are full, by Gate."""

    def __init__(self) -> None:
        self._full: dict[Hashable, int] = {}
        self._has_room = threading.Event()
        self._has_room.set()
        self._lock = threading.Lock()

    def tell(self, gate: Hashable, full: int) -> None:
        """Take in how many of a Gate's mailboxes are full, 0 when its life begins or ends."""
        with self._lock:
            if full:
                self._full[gate] = full
                self._has_room.clear()
            else:
                self._full.pop(gate, None)
                if not self._full:
                    self._has_room.set()

    def pause(self, seconds: float = PAUSE_SECONDS) -> bool:
        """Wait until none is full, so long at most; tell whether none is."""
        return self._has_room.wait(seconds)


OF_THE_PROCESS = Pressure()
"""Modules outlive a job in a TaskManager. What a Gate has told it takes back when it ends, and its
successor when it begins."""
