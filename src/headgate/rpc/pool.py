"""One agent type's calls: what waits, how much may be under way, which endpoint takes the next.

Requests wait here and nowhere else. They leave when the agent type's allowance (rate,
concurrency) and an endpoint have room, in the order of their arrival. What waits for a service
that is away, or left out, is given up at its deadline: Gate sends it again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from headgate.rpc.bucket import TokenBucket
from headgate.rpc.endpoint import Endpoint
from headgate.rpc.pending import Pending
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
        self._queue: deque[Pending] = deque()
        self._paused: dict[Pending, asyncio.TimerHandle] = {}
        # Of what is in the queue, or in the pause before it goes there again.
        self._waiting_bytes = 0
        self._turn = 0
        self._pumping: asyncio.Handle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        for endpoint in endpoints:
            endpoint.watch(self._has_room)

    def submit(self, call: Call) -> None:
        """Queue a call; give it up at once if the queue is full."""
        pending = Pending(call, self)
        self.last_used = now = self._loop.time()
        pending.expires = now + pending.deadline_seconds
        if self._waiting_bytes and self._waiting_bytes + pending.size > self._queue_bytes:
            self._give_up(pending)
            return
        self._queue.append(pending)
        self._waiting_bytes += pending.size
        self._has_room()

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing waits and nothing is in flight."""
        return not self._queue and not self._paused and not self.in_flight

    def drop_waiting(self) -> None:
        """Give up what waits: what the agent type's spec says now may send it elsewhere."""
        for pending in list(self._paused):
            self._queue_again(pending)
        while self._queue:
            self._give_up(self._dequeue())

    def leave(self) -> list[Endpoint]:
        """Forget the endpoints; returns those that no pool uses now."""
        for handle in (self._pumping, self._sweeping, *self._paused.values()):
            if handle is not None:
                handle.cancel()
        return [endpoint for endpoint in self.endpoints if endpoint.unwatch(self._has_room)]

    # -------------------------------------------------------------------- what became of calls

    def answered(self, pending: Pending, reply: TurnReply) -> None:
        """It was answered, or failed."""
        self.in_flight -= 1
        self._on_reply(pending, reply)

    def given_back(self, pending: Pending) -> None:
        """The service went away under it: it is the next to be put to one that is there."""
        self.in_flight -= 1
        self._waiting_bytes += pending.size
        self._queue_again(pending)

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
        self._waiting_bytes += pending.size
        self._paused[pending] = self._loop.call_later(pause, self._queue_again, pending)

    def dropped(self, pending: Pending) -> None:
        """It was given up unsent."""
        self.in_flight -= 1
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
            wait = self._bucket.take(self._loop.time())
            if wait:
                self._pumping = self._loop.call_later(wait, self._pump)
                break
            self.in_flight += 1
            endpoint.put(self._dequeue())
        if self._queue:
            for endpoint in self.endpoints:
                endpoint.want()
            if self._sweeping is None:
                self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

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
        handle = self._paused.pop(pending, None)
        if handle is not None:
            handle.cancel()
        pending.expires = self._loop.time() + pending.deadline_seconds
        self._queue.appendleft(pending)
        self._has_room()

    def _dequeue(self) -> Pending:
        pending = self._queue.popleft()
        self._waiting_bytes -= pending.size
        return pending

    def _sweep(self) -> None:
        self._sweeping = None
        now = self._loop.time()
        # What waits because its agent is busy, or limited, waits on: to send it again would gain
        # nothing and lose its place.
        if not any(endpoint.is_up for endpoint in self.endpoints):
            while self._queue and self._queue[0].expires <= now:
                self._give_up(self._dequeue())
        if self._queue:
            self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)
