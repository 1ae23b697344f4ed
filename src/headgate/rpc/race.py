"""The race: which tenant's call begins next, so that each has had its share at every moment.

Earliest eligible virtual deadline first (Stoica and Abdel-Wahab, 1995), each call of length 1:

- Virtual time passes by 1 / (sum of the weights that compete) with each call that begins. A
  tenant's calls are due one after the other, 1 / weight apart.
- A call is *eligible* once its time to begin has come, and of the eligible ones the one that is due
  to end first begins. The first rule keeps a tenant from being ahead of its share by more than one
  call, the second from being behind by more. Either alone (start-time or finish-time fair queueing,
  deficit round robin) lets a heavy tenant among n light ones be off by up to n calls.
- Virtual time is the mean of the starts, weighted. So some tenant is always eligible, and whoever
  leaves takes what it was ahead or behind along, instead of leaving it to the others for good.
- Who comes begins at the present: a quiet time gains nothing. Who left ahead of its share, and
  comes back, begins where it left: leaving gains nothing either.

Virtual times are whole numbers, so that sums stay exact in a queue that is not empty for weeks.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from headgate.rpc.lane import Lane

ONE = 1 << 48
"""Virtual time between two calls of a tenant of weight 1. A weight divides it with an error of
weight / 2**48: a millionth of a millionth where weights are hundreds."""

SPARE_ENTRIES = 64
"""Entries that no longer count, beyond one for each lane, before a heap is cleared of them."""

Entry = tuple[int, int, Lane[Any]]


class Race:
    """Orders the lanes that have calls and may begin them."""

    def __init__(self) -> None:
        self._numbers = count(1)
        # Sums over the lanes that compete: their weights, and weight times start.
        self._count = self._weight = self._sum = 0
        # The present while none competes.
        self._rest = 0
        # By start: those that may not be eligible yet. By end: those that were.
        self._early: list[Entry] = []
        self._due: list[Entry] = []
        # Starts of tenants that left ahead of their share.
        self._ahead: dict[str, int] = {}
        self._ahead_at_most = SPARE_ENTRIES

    @property
    def present(self) -> int:
        """Virtual time."""
        return self._sum // self._weight if self._weight else self._rest

    def enter(self, lane: Lane[Any]) -> None:
        """A lane has calls that may begin, and had none before."""
        start = max(lane.start, self.present)
        if self._ahead:
            start = max(start, self._ahead.pop(lane.tenant, 0))
        lane.start, lane.competes, lane.number = start, True, next(self._numbers)
        self._count += 1
        self._weight += lane.weight
        self._sum += lane.weight * start
        if len(self._early) > 2 * self._count + SPARE_ENTRIES:
            self._early = [entry for entry in self._early if entry[1] == entry[2].number]
            heapify(self._early)
        heappush(self._early, (start, lane.number, lane))

    def leave(self, lane: Lane[Any]) -> None:
        """A lane has no more calls that may begin."""
        self._rest = self.present
        lane.competes, lane.number = False, 0
        self._count -= 1
        self._weight -= lane.weight
        self._sum -= lane.weight * lane.start
        if lane.start > self.present:
            self._remember(lane)

    def first(self) -> Lane[Any] | None:
        """Return the lane whose call is next, None if none competes."""
        early, due, weight = self._early, self._due, self._weight
        while early and (early[0][0] * weight <= self._sum or early[0][1] != early[0][2].number):
            _, number, lane = heappop(early)
            if number == lane.number:
                heappush(due, (lane.start + ONE // lane.weight, number, lane))
        while due:
            _, number, lane = due[0]
            if number == lane.number and lane.start * weight <= self._sum:
                return lane
            heappop(due)
            if number == lane.number:
                # Others left behind their shares: the present is earlier than it was.
                heappush(early, (lane.start, number, lane))
        return None

    def begin(self, lane: Lane[Any], *, has_more: bool) -> None:
        """The call of the lane that is first begins."""
        heappop(self._due)
        step = ONE // lane.weight
        lane.start += step
        self._sum += step * lane.weight
        if has_more:
            heappush(self._early, (lane.start, lane.number, lane))
        else:
            self.leave(lane)

    def reweigh(self, lanes: Iterable[tuple[Lane[Any], int]]) -> None:
        """Give lanes other weights. By how many calls each is ahead or behind stays as it is."""
        present = self.present
        self._count = self._weight = self._sum = 0
        self._early, self._due, self._rest = [], [], present
        self._ahead.clear()
        for lane, weight in lanes:
            lane.start = present + (lane.start - present) * lane.weight // weight
            lane.weight = weight
            if lane.competes:
                self._count += 1
                self._weight += weight
                self._sum += weight * lane.start
                self._early.append((lane.start, lane.number, lane))
        heapify(self._early)

    def clear(self) -> None:
        """Nobody waits: begin anew."""
        self._early.clear()
        self._due.clear()
        self._ahead.clear()
        self._rest = 0

    def _remember(self, lane: Lane[Any]) -> None:
        if len(self._ahead) >= self._ahead_at_most:
            present = self.present
            self._ahead = {who: start for who, start in self._ahead.items() if start > present}
            self._ahead_at_most = max(SPARE_ENTRIES, 2 * len(self._ahead))
        self._ahead[lane.tenant] = lane.start
