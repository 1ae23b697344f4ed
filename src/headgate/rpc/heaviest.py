"""Which tenant has most of a full queue for its weight: it loses a call."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any

from headgate.rpc.lane import Lane

SPARE_ENTRIES = 64


class Heaviest:
    """Finds the lane with the largest load, of equal ones the one that came last.

    There is an entry for each lane that is at least its load. Where a load has fallen the entry is
    put right when it comes to the top; where it has risen, ``grew`` adds one.
    """

    def __init__(self, lanes: Iterable[Lane[Any]]) -> None:
        self._heap = [(-lane.load, -lane.number, id(lane), lane) for lane in lanes]
        heapify(self._heap)
        self._at_most = 4 * len(self._heap) + SPARE_ENTRIES

    @property
    def is_bloated(self) -> bool:
        """Tell whether making another costs less than keeping this one."""
        return len(self._heap) > self._at_most

    def grew(self, lane: Lane[Any]) -> None:
        """A lane has more than it had."""
        heappush(self._heap, (-lane.load, -lane.number, id(lane), lane))

    def find(self) -> Lane[Any]:
        """Return the heaviest lane; there must be one that is not empty."""
        while True:
            load, _, _, lane = self._heap[0]
            if not lane.calls and not lane.held:
                heappop(self._heap)
            elif -load > lane.load:
                heapreplace(self._heap, (-lane.load, -lane.number, id(lane), lane))
            else:
                return lane
