"""What waits for one agent type: a lane for each tenant, and fair shares between them.

Pure: time comes in, calls go out. What it promises, while ``Share`` says the weights:

- A call is handed out whenever one waits whose tenant is not over its rate.
- Of tenants that wait all the time, each has had its share of the calls handed out, to within one
  call (``headgate.rpc.race``).
- Calls of one tenant go in the order of their arrival.
- Who must make room is the tenant with most bytes for its weight, and of its calls the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import count
from typing import Generic

from headgate.rpc.bucket import TokenBucket
from headgate.rpc.heaviest import Heaviest
from headgate.rpc.lane import C, Lane
from headgate.rpc.race import Race
from headgate.rpc.shares import NO_SHARES, ShareOf


class FairQueue(Generic[C]):
    """Calls by tenant. ``size``: bytes of all that wait or are held. Times are seconds of any clock
    that never goes back.
    """

    def __init__(self, shares: Mapping[str, ShareOf] = NO_SHARES, now: float = 0.0) -> None:
        self.size = 0
        self._waiting = 0
        self._lanes: dict[str, Lane[C]] = {}
        self._race = Race()
        # Lanes over their rate, by when they may begin a call. Their numbers are negative, so that
        # none is one of the race's.
        self._paced: list[tuple[float, int, Lane[C]]] = []
        self._numbers = count(-1, -1)
        self._heaviest: Heaviest | None = None
        self._shares: Mapping[str, ShareOf] = {}
        # Beyond the lanes: a rate holds for a tenant whose calls come one by one.
        self._buckets: dict[str, TokenBucket] = {}
        self.share(shares, now)

    def __len__(self) -> int:
        """How many calls wait. Those that are held are not among them."""
        return self._waiting

    def share(self, shares: Mapping[str, ShareOf], now: float) -> None:
        """Weights and rates are these from now on. What waits keeps its place in its lane."""
        self._shares = shares
        before, self._buckets = self._buckets, {}
        for tenant, share in shares.items():
            if share.rate:
                bucket = before.get(tenant) or TokenBucket(share.rate, 0, now)
                bucket.limit(share.rate, 0, now)
                self._buckets[tenant] = bucket
        self._heaviest = None
        self._race.reweigh((lane, self._weight(lane.tenant)) for lane in self._lanes.values())
        self._paced.clear()
        for tenant, lane in self._lanes.items():
            lane.bucket = self._buckets.get(tenant)
            if lane.calls and not lane.competes:
                self._race.enter(lane)

    # ------------------------------------------------------------------------------- in and out

    def push(self, call: C) -> None:
        """Put a call behind those of its tenant."""
        lane = self._lane_of(call)
        lane.calls.append(call)
        self._came(lane, call.size)

    def push_front(self, call: C) -> None:
        """Put a call before those of its tenant."""
        lane = self._lane_of(call)
        lane.calls.appendleft(call)
        self._came(lane, call.size)

    def take(self, now: float) -> C | None:
        """Hand out the call that is next; None if none waits, or all that do are over a rate."""
        while self._paced and self._paced[0][0] <= now:
            _, number, lane = heappop(self._paced)
            if number == lane.number:
                self._race.enter(lane)
        while (first := self._race.first()) is not None:
            lane = first
            wait = lane.bucket.take(now) if lane.bucket is not None else 0.0
            if not wait:
                call = lane.calls.popleft()
                self._race.begin(lane, has_more=bool(lane.calls))
                self._went(lane, call.size)
                return call
            self._race.leave(lane)
            lane.number = next(self._numbers)
            heappush(self._paced, (now + wait, lane.number, lane))
        return None

    @property
    def next_at(self) -> float | None:
        """When the first of the tenants over their rate may begin a call; None if there is none."""
        return self._paced[0][0] if self._paced else None

    def take_out(self, is_meant: Callable[[C], bool]) -> list[C]:
        """Take the calls out that are meant, from the head of each lane up to the first that is
        not."""
        out: list[C] = []
        for lane in list(self._lanes.values()):
            while lane.calls and is_meant(lane.calls[0]):
                out.append(self._remove(lane, newest=False))
        return out

    # ------------------------------------------------------------------------------ pauses, room

    def hold(self, call: C) -> None:
        """Count a call that pauses and will be back: its bytes are its tenant's."""
        lane = self._lane_of(call)
        lane.held[call] = None
        self._grew(lane, call.size)

    def release(self, call: C) -> None:
        """The pause of a call has ended: it is the next of its tenant."""
        lane = self._lanes[call.tenant]
        del lane.held[call]
        lane.size -= call.size
        self.size -= call.size
        self.push_front(call)

    def evict(self) -> C:
        """Take out the newest call of the tenant that has most bytes for its weight; there must be
        one. Of its calls that pause, one goes where no other waits."""
        if self._heaviest is None or self._heaviest.is_bloated:
            self._heaviest = Heaviest(self._lanes.values())
        lane: Lane[C] = self._heaviest.find()
        if lane.calls:
            return self._remove(lane, newest=True)
        call, _ = lane.held.popitem()
        lane.size -= call.size
        self.size -= call.size
        self._forget_if_empty(lane)
        return call

    # -------------------------------------------------------------------------------- book-keeping

    def _weight(self, tenant: str) -> int:
        share = self._shares.get(tenant)
        return share.weight if share is not None else 1

    def _lane_of(self, call: C) -> Lane[C]:
        tenant = call.tenant
        lane = self._lanes.get(tenant)
        if lane is None:
            lane = Lane(tenant, self._weight(tenant), self._buckets.get(tenant))
            self._lanes[tenant] = lane
        return lane

    def _came(self, lane: Lane[C], size: int) -> None:
        self._waiting += 1
        if len(lane.calls) == 1:
            self._race.enter(lane)
        self._grew(lane, size)

    def _grew(self, lane: Lane[C], size: int) -> None:
        lane.size += size
        self.size += size
        if self._heaviest is not None:
            self._heaviest.grew(lane)
            if self._heaviest.is_bloated:
                self._heaviest = None

    def _remove(self, lane: Lane[C], *, newest: bool) -> C:
        call = lane.calls.pop() if newest else lane.calls.popleft()
        if not lane.calls:
            if lane.competes:
                self._race.leave(lane)
            lane.number = 0
        self._went(lane, call.size)
        return call

    def _went(self, lane: Lane[C], size: int) -> None:
        self._waiting -= 1
        lane.size -= size
        self.size -= size
        self._forget_if_empty(lane)

    def _forget_if_empty(self, lane: Lane[C]) -> None:
        if not lane.calls and not lane.held:
            del self._lanes[lane.tenant]
            if not self._lanes:
                self._race.clear()
