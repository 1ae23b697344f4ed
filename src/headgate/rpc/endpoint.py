"""One agent service: its queue, its quota, its deadlines, its connection.

Failure stories this knows: a service that answers slowly (the quota fills, then the queue, then
requests are dropped), never (deadlines), with garbage (the dispatcher refuses it), with an
error status (a failed attempt), not at all (UNAVAILABLE: requests wait and are made again, no
attempt is charged), or that dies of a request (after ``BREAKS_AT_MOST`` broken streams the
calls it had then count as failed).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from headgate.core.outcome import failed_reply
from headgate.rpc.pending import Pending
from headgate.rpc.wire import Wire, connect
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_RPC_ERROR,
    TurnReply,
)

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.05
"""How often deadlines are looked at: a deadline is overrun by at most this."""

RECONNECT_FIRST_SECONDS = 0.05
RECONNECT_AT_MOST_SECONDS = 1.0
"""Pauses between connection attempts, and between those of a unary call that was UNAVAILABLE: a
restarted service gets its turns within a second, a dead one costs one attempt a second.
"""

BATCH_BYTES = 1_000_000
"""Requests written at once: far below gRPC's message limit, whatever the states weigh."""

BREAKS_AT_MOST = 5
"""Streams that may break under a call before the call is taken for the cause. Fewer, and
restarts of a service would cost innocent turns an attempt; without a bound a turn that crashes
its service is sent for ever.
"""


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """``concurrency``: calls in flight. ``queue_bytes``: requests that wait. ``flush_seconds``:
    how long requests gather before a batch is written (0: until the loop has run once).
    """

    concurrency: int = 1_000
    queue_bytes: int = 32_000_000
    flush_seconds: float = 0.0


class Endpoint:
    """Calls one service. ``on_reply`` gets each answer, or what stands for it, exactly once per
    call; ``on_dropped`` gets calls that were given up unanswered and cost nothing.
    """

    def __init__(
        self,
        target: str,
        limits: EndpointLimits,
        *,
        on_reply: Callable[[Pending, TurnReply], None],
        on_dropped: Callable[[Pending], None],
        now_us: Callable[[], int],
    ) -> None:
        self.target = target
        self.is_reachable = False
        self._limits = limits
        self._on_reply = on_reply
        self._on_dropped = on_dropped
        self._now_us = now_us
        self._queue: deque[Pending] = deque()
        # Of what is in the queue, or in the pause before it goes there again.
        self._waiting_bytes = 0
        self._called: dict[bytes, Pending] = {}
        self._wire: Wire | None = None
        self._work = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._tasks = [self._loop.create_task(self._run()), self._loop.create_task(self._sweep())]

    def submit(self, pending: Pending) -> None:
        """Queue a call; give it up at once if the queue is full."""
        pending.size = pending.request.ByteSize()
        if self._waiting_bytes and self._waiting_bytes + pending.size > self._limits.queue_bytes:
            pending.is_done = True
            self._on_dropped(pending)
            return
        self._queue.append(pending)
        self._waiting_bytes += pending.size
        self._work.set()

    async def close(self) -> None:
        """Close the connection; calls under way stay unanswered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._wire is not None:
            await self._wire.close()

    # ------------------------------------------------------------------------------ connection

    async def _run(self) -> None:
        pause = RECONNECT_FIRST_SECONDS
        while True:
            await self._work.wait()
            try:
                self._wire = await connect(
                    self.target, self._answered, self._refused, self._work.set
                )
                self._note_reachable(reachable=True)
                pause = RECONNECT_FIRST_SECONDS
                await self._feed(self._wire)
            except grpc.aio.AioRpcError as error:
                self._broken(f"{error.code().name}: {error.details()}")
            except Exception as error:
                self._broken(f"{type(error).__name__}: {error}")
            finally:
                if self._wire is not None:
                    with contextlib.suppress(Exception):
                        await self._wire.close()
                    self._wire = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECONNECT_AT_MOST_SECONDS)

    async def _feed(self, wire: Wire) -> None:
        while True:
            await self._work.wait()
            if self._limits.flush_seconds:
                await asyncio.sleep(self._limits.flush_seconds)
            self._work.clear()
            batch = self._next_batch()
            if batch:
                await wire.send(batch)
            wire.raise_if_broken()

    def _next_batch(self) -> list[Pending]:
        batch: list[Pending] = []
        room = self._limits.concurrency - len(self._called)
        now, now_us, size = self._loop.time(), self._now_us(), 0
        while self._queue and len(batch) < room and size < BATCH_BYTES:
            pending = self._queue.popleft()
            self._waiting_bytes -= pending.size
            if pending.is_done:
                continue
            pending.since, pending.called_us = now, now_us
            self._called[pending.name] = pending
            batch.append(pending)
            size += pending.size
        if self._queue and batch:
            self._work.set()
        return batch

    def _broken(self, why: str) -> None:
        """The service went away: what it had not answered waits for its return."""
        self._note_reachable(reachable=False, why=why)
        called, self._called = self._called, {}
        for pending in reversed(called.values()):
            pending.breaks += 1
            if pending.breaks > BREAKS_AT_MOST:
                message = f"{self.target} broke the connection {pending.breaks} times on it: {why}"
                self._finish(
                    pending, failed_reply(pending.request, FAILURE_CODE_RPC_ERROR, message)
                )
                continue
            self._wait_again(pending)
            self._queue_again(pending)

    def _note_reachable(self, *, reachable: bool, why: str = "") -> None:
        if reachable != self.is_reachable:
            self.is_reachable = reachable
            log.warning("agent service %s is %s", self.target, why or "reachable")

    # ---------------------------------------------------------------------------------- answers

    def _answered(self, reply: TurnReply) -> None:
        pending = self._called.pop(reply.request_id, None)
        if pending is None:
            # Late, or for a request that was never made: there is no turn that it could be
            # blamed on.
            return
        self._finish(pending, reply)
        if self._queue:
            self._work.set()

    def _refused(self, name: bytes, code: grpc.StatusCode, details: str) -> None:
        """A unary call ended with a status: UNAVAILABLE costs nothing, anything else an attempt."""
        pending = self._called.pop(name, None)
        if pending is None:
            return
        # CANCELLED: the service stopped in the midst of the call.
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
            self._make_again(pending)
        else:
            message = f"{self.target} answered {code.name}: {details}"
            self._finish(pending, failed_reply(pending.request, FAILURE_CODE_RPC_ERROR, message))
        if self._queue:
            self._work.set()

    def _make_again(self, pending: Pending) -> None:
        """Make a unary call again after a pause; drop it once a deadline has passed that way.

        It pauses alone: a service may refuse one key and serve the others. Left to Gate's
        re-sends, a service that is away for 100 ms would cost its turns seconds. But Gate has to
        have its say in the end: the agent may be at another endpoint by now.
        """
        now = self._loop.time()
        pending.refused_since = pending.refused_since or now
        pause = min(RECONNECT_FIRST_SECONDS * 2**pending.refusals, RECONNECT_AT_MOST_SECONDS)
        if now + pause - pending.refused_since > pending.request.deadline_ms / 1000:
            pending.is_done = True
            self._on_dropped(pending)
            return
        pending.refusals += 1
        self._wait_again(pending)
        self._loop.call_later(pause, self._queue_again, pending)

    def _wait_again(self, pending: Pending) -> None:
        pending.called_us = 0
        self._waiting_bytes += pending.size

    def _queue_again(self, pending: Pending) -> None:
        pending.since = self._loop.time()
        self._queue.appendleft(pending)
        self._work.set()

    def _finish(self, pending: Pending, reply: TurnReply) -> None:
        if not pending.is_done:
            pending.is_done = True
            self._on_reply(pending, reply)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._loop.time()
            for pending in [p for p in self._called.values() if p.deadline <= now]:
                del self._called[pending.name]
                message = f"no answer within {pending.request.deadline_ms} ms from {self.target}"
                reply = failed_reply(pending.request, FAILURE_CODE_DEADLINE_EXCEEDED, message)
                self._finish(pending, reply)
                self._work.set()
            # Never called within the deadline: the service's trouble, not the turn's. Gate
            # sends again.
            while self._queue and self._queue[0].deadline <= now:
                pending = self._queue.popleft()
                self._waiting_bytes -= pending.size
                if not pending.is_done:
                    pending.is_done = True
                    self._on_dropped(pending)
