"""One agent type's calls: what waits, how much may be under way, which endpoint takes the next.

Requests wait here and nowhere else. They leave when the agent type's allowance (rate,
concurrency) and an endpoint have room: those of a tenant in the order of their arrival, tenants by
their shares (``headgate.rpc.fair_queue``). What does not fit is given up, and what waits for a
service that is away, or left out, is so at its deadline: Gate sends it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from headgate.rpc.bucket import TokenBucket
from headgate.rpc.endpoint import Endpoint
from headgate.rpc.fair_queue import FairQueue
from headgate.rpc.pending import Pending
from headgate.rpc.shares import NO_SHARES, ShareOf
from headgate.v1.agent_pb2 import TurnReply
from headgate.v1.connection_pb2 import CallLimits
from headgate.v1.turn_pb2 import Call

SWEEP_SECONDS = 0.2
"""How often the queue of a service that is away is looked through. Its requests are sent again a
second after Gate hears of it, so that more would be wasted."""


PAUSE_FIRST_SECONDS = 0.05
PAUSE_AT_MOST_SECONDS = 1.0
"""Pauses of a call that was UNAVAILABLE, doubling: a service that is away for 100 ms costs little
more, one that refuses for long is asked once a second.
"""


class Pool:
    """Balances the calls of one agent type over its endpoints. ``on_reply`` gets each answer, or
    what stands for it, exactly once per call; ``on_dropped`` gets calls that were given up
    unanswered and cost nothing.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        limits: CallLimits,
        queue_bytes: int,
        *,
        shares: Mapping[str, ShareOf] = NO_SHARES,
        on_reply: Callable[[Pending, TurnReply], None],
        on_dropped: Callable[[Pending], None],
    ) -> None:
        self.endpoints = endpoints
        self.in_flight = 0
        self._loop = asyncio.get_running_loop()
        self.last_used = self._loop.time()
        self._bucket = TokenBucket(limits.rate, limits.burst, self.last_used)
        self._concurrency = limits.concurrency
        self._queue_bytes = queue_bytes
        self._on_reply = on_reply
        self._on_dropped = on_dropped
        # Its bytes are those of what waits, or is in the pause before it waits again.
        self._queue: FairQueue[Pending] = FairQueue(shares, self.last_used)
        self._paused: dict[Pending, asyncio.TimerHandle] = {}
        self._turn = 0
        self._pumping: asyncio.Handle | None = None
        # For when the next of the tenants over their rates may begin a call.
        self._waking: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        for endpoint in endpoints:
            endpoint.watch(self._has_room)

    def submit(self, call: Call) -> None:
        """Queue a call. If that is too much, the tenant that has most of the queue for its weight
        loses its newest calls: this one, maybe.
        """
        pending = Pending(call, self)
        self.last_used = now = self._loop.time()
        pending.expires = now + pending.deadline_seconds
        self._queue.push(pending)
        while self._queue.size > self._queue_bytes and len(self._queue) + len(self._paused) > 1:
            self._evict()
        self._has_room()

    def share(self, shares: Mapping[str, ShareOf]) -> None:
        """Tenants have these shares from the next call on."""
        self._queue.share(shares, self._loop.time())
        self._has_room()

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing waits and nothing is in flight."""
        return not self._queue and not self._paused and not self.in_flight

    def drop_waiting(self) -> None:
        """Give up what waits: what the agent type's spec says now may send it elsewhere."""
        for pending in list(self._paused):
            self._queue_again(pending)
        for pending in self._queue.take_out(lambda _: True):
            self._give_up(pending)

    def leave(self) -> list[Endpoint]:
        """Forget the endpoints; returns those that no pool uses now."""
        for handle in (self._pumping, self._waking, self._sweeping, *self._paused.values()):
            if handle is not None:
                handle.cancel()
        return [endpoint for endpoint in self.endpoints if endpoint.unwatch(self._has_room)]

    # -------------------------------------------------------------------- what became of calls

    def answered(self, pending: Pending, reply: TurnReply) -> None:
        """It was answered, or failed."""
        self.in_flight -= 1
        self._on_reply(pending, reply)

    def given_back(self, pending: Pending) -> None:
        """The service went away under it: it is the next of its tenant for one that is there."""
        self.in_flight -= 1
        pending.expires = self._loop.time() + pending.deadline_seconds
        self._queue.push_front(pending)
        self._has_room()

    def refused(self, pending: Pending) -> None:
        """The service would not take it now.

        It pauses alone: a service may refuse one key and serve the others. Left to Gate's
        re-sends, a service that is away for 100 ms would cost its turns seconds. But Gate has to
        have its say in the end: the agent may be at another endpoint by now.
        """
        self.in_flight -= 1
        now = self._loop.time()
        pending.refused_since = pending.refused_since or now
        pause = min(PAUSE_FIRST_SECONDS * 2**pending.refusals, PAUSE_AT_MOST_SECONDS)
        if now + pause - pending.refused_since > pending.deadline_seconds:
            self._give_up(pending)
            return
        pending.refusals += 1
        self._queue.hold(pending)
        self._paused[pending] = self._loop.call_later(pause, self._queue_again, pending)

    def dropped(self, pending: Pending) -> None:
        """It was given up unsent."""
        self.in_flight -= 1
        self._give_up(pending)

    def _evict(self) -> None:
        pending = self._queue.evict()
        pausing = self._paused.pop(pending, None)
        if pausing is not None:
            pausing.cancel()
        self._give_up(pending)

    def _give_up(self, pending: Pending) -> None:
        pending.is_done = True
        self._on_dropped(pending)

    # -------------------------------------------------------------------------------- the queue

    def _has_room(self) -> None:
        if self._queue and self._pumping is None:
            # Once for all that arrives or ends in this round of the loop.
            self._pumping = self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = None
        while self._queue and not (self._concurrency and self.in_flight >= self._concurrency):
            endpoint = self._pick()
            if endpoint is None:
                break
            now = self._loop.time()
            wait = self._bucket.wait(now)
            if wait:
                self._pumping = self._loop.call_later(wait, self._pump)
                break
            pending = self._queue.take(now)
            if pending is None:
                self._wake_at(self._queue.next_at)
                break
            self._bucket.take(now)
            self.in_flight += 1
            endpoint.put(pending)
        if self._queue:
            for endpoint in self.endpoints:
                endpoint.want()
            if self._sweeping is None:
                self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _wake_at(self, at: float | None) -> None:
        """Pump when a tenant is within its rate again. Others that come meanwhile do not wait."""
        if self._waking is not None:
            self._waking.cancel()
        self._waking = None if at is None else self._loop.call_at(at, self._has_room)

    def _pick(self) -> Endpoint | None:
        """Return the endpoint with the fewest calls in flight, in turn where several have."""
        if len(self.endpoints) == 1:
            return self.endpoints[0] if self.endpoints[0].can_take() else None
        best: Endpoint | None = None
        count = len(self.endpoints)
        for offset in range(count):
            index = (self._turn + offset) % count
            endpoint = self.endpoints[index]
            if not endpoint.can_take():
                endpoint.want()
            elif best is None or endpoint.load < best.load:
                best, chosen = endpoint, index
        if best is not None:
            self._turn = chosen + 1
        return best

    def _queue_again(self, pending: Pending) -> None:
        self._paused.pop(pending).cancel()
        pending.expires = self._loop.time() + pending.deadline_seconds
        self._queue.release(pending)
        self._has_room()

    def _sweep(self) -> None:
        self._sweeping = None
        now = self._loop.time()
        # What waits because its agent is busy, or limited, waits on: to send it again would gain
        # nothing and lose its place.
        if not any(endpoint.is_up for endpoint in self.endpoints):
            for pending in self._queue.take_out(lambda pending: pending.expires <= now):
                self._give_up(pending)
        if self._queue:
            self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)
