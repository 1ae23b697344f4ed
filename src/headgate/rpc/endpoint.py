"""One endpoint of an agent service: its calls in flight, their deadlines, whether it is trusted.

Failure stories this knows: a service that answers slowly (its quota fills, and pools keep the
rest), never (deadlines, then the breaker), with garbage (the dispatcher refuses it), with an
error status (a failed attempt), not at all (calls go back to their pools, no attempt is charged),
or that dies of a request (after ``BREAKS_AT_MOST`` broken connections the calls it had then count
as failed).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from headgate.core.outcome import failed_reply
from headgate.rpc.breaker import Breaker
from headgate.rpc.channel import MESSAGE_BYTES
from headgate.rpc.link import Link
from headgate.rpc.pending import Owner, Pending
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_RPC_ERROR,
    FAILURE_CODE_TOO_LARGE,
    FailureCode,
    TurnReply,
)
from headgate.v1.connection_pb2 import Connection
from headgate.v1.turn_pb2 import EndpointCalls

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.05
"""How often deadlines are looked at: a deadline is overrun by at most this."""

BREAKS_AT_MOST = 5
"""Connections that may break under a call before the call is taken for the cause. Fewer, and
restarts of a service would cost innocent turns an attempt; without a bound a turn that crashes
its service is sent for ever.
"""

_SERVICES_TROUBLE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        # A token that has expired: no turn can help it, and a new connection shows the new one.
        grpc.StatusCode.UNAUTHENTICATED,
    }
)
"""Statuses that charge no attempt."""

_REFUSED_UNREAD = "CLIENT: Received message larger than max"
"""What gRPC says on our side of a message over the channel's limit. A service that finds ours too
large says "SERVER: ".
"""


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """``concurrency``: calls in flight, per endpoint. ``queue_bytes``: requests that wait, per
    agent type. ``flush_seconds``: how long requests gather before a batch is written (0: until
    the loop has run once). ``answer_bytes``: the answer of one turn, where it travels alone; larger
    ones are refused unread, for ten of 50 MB at a time would leave no time for others.
    """

    concurrency: int = 1_000
    queue_bytes: int = 32_000_000
    flush_seconds: float = 0.0
    answer_bytes: int = MESSAGE_BYTES


class Endpoint:
    """Calls one service. Each call that is put to it ends with its owner, in exactly one way."""

    def __init__(
        self,
        target: str,
        connection: Connection,
        limits: EndpointLimits,
        *,
        now_us: Callable[[], int],
    ) -> None:
        self.target = target
        self.breaker = Breaker(connection.breaker)
        self._concurrency = limits.concurrency
        self._now_us = now_us
        self._watchers: set[Callable[[], None]] = set()
        self._called: dict[bytes, Pending] = {}
        self._loop = asyncio.get_running_loop()
        self._sweeping: asyncio.TimerHandle | None = None
        self._link = Link(
            target,
            connection,
            flush_seconds=limits.flush_seconds,
            answer_bytes=limits.answer_bytes,
            on_reply=self._answered,
            on_refused=self._refused,
            on_change=self._tell_room,
            on_lost=self._lost,
        )

    # ------------------------------------------------------------------------- for its pools

    @property
    def load(self) -> int:
        """Calls in flight."""
        return len(self._called)

    @property
    def is_up(self) -> bool:
        """Tell whether it is connected and trusted; a busy one is up as well."""
        return self._link.is_up and self.breaker.is_closed

    def stand(self, owner: Owner, agent_type: str) -> EndpointCalls:
        """Return how the calls of one of its pools stand."""
        began = [pending.began for pending in self._called.values() if pending.owner is owner]
        return EndpointCalls(
            agent_type=agent_type,
            endpoint=self.target,
            in_flight=len(began),
            oldest_ms=int((self._loop.time() - min(began)) * 1_000) if began else 0,
            left_out=not self.breaker.is_closed,
            down=not self._link.is_up,
        )

    def can_take(self) -> bool:
        """Tell whether a call may be put to it now."""
        return (
            self._link.has_room
            and len(self._called) < self._concurrency
            and self.breaker.allows(self._loop.time())
        )

    def put(self, pending: Pending) -> None:
        """Call the service; only after ``can_take``."""
        now = self._loop.time()
        pending.began, pending.called_us = now, self._now_us()
        pending.expires = now + pending.deadline_seconds
        pending.tries += 1
        pending.is_sent = pending.is_heard = False
        self.breaker.called()
        self._called[pending.name] = pending
        self._link.send(pending)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def want(self) -> None:
        """Connect, if it is not connected: there are calls for it."""
        self._link.want()

    def watch(self, on_room: Callable[[], None]) -> None:
        """Tell ``on_room`` whenever a call might be taken that was not before."""
        self._watchers.add(on_room)

    def unwatch(self, on_room: Callable[[], None]) -> bool:
        """End that; True if nobody is left to watch."""
        self._watchers.discard(on_room)
        return not self._watchers

    async def close(self) -> None:
        """Close the connection; calls under way stay unanswered."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._link.close()

    # ---------------------------------------------------------------------- what becomes of calls

    def _lost(self, why: str, calls_go_on: bool) -> None:
        """The service went away: what it will not answer goes back to where it came from."""
        gone = [call for call in self._called.values() if not (call.is_sent and calls_go_on)]
        if any(pending.is_sent for pending in gone):
            self._failed(began=self._loop.time())
        for pending in reversed(gone):
            self._take_out(pending.name)
            self._give_back(pending, why)
        self._tell_room()

    def _give_back(self, pending: Pending, why: str) -> None:
        pending.breaks += pending.is_sent
        if pending.breaks > BREAKS_AT_MOST:
            message = f"{self.target} broke the connection {pending.breaks} times on it: {why}"
            self._fail(pending, FAILURE_CODE_RPC_ERROR, message)
        else:
            pending.called_us = 0
            pending.owner.given_back(pending)

    def _answered(self, reply: TurnReply) -> None:
        pending = self._take_out(reply.request_id)
        if pending is None:
            # Late, or for a request that was never made: there is no turn that it could be
            # blamed on.
            return
        self.breaker.succeeded()
        pending.is_done = True
        pending.owner.answered(pending, reply)
        self._tell_room()

    def _refused(self, name: bytes, code: grpc.StatusCode, details: str) -> None:
        """A call of its own ended with a status."""
        pending = self._take_out(name)
        if pending is None:
            return
        why = f"{self.target} answered {code.name}: {details}"
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and details.startswith(_REFUSED_UNREAD):
            self.breaker.succeeded()
            self._fail(pending, FAILURE_CODE_TOO_LARGE, f"the answer of {self.target}: {details}")
        elif code not in _SERVICES_TROUBLE:
            self._failed(began=pending.began)
            self._fail(pending, FAILURE_CODE_RPC_ERROR, why)
        else:
            # CANCELLED: the service stopped in the midst of the call.
            if not pending.refusals and self._link.is_up and pending.began >= self._link.since:
                # Once for each connection and call: what else it carries may still be answered,
                # but nothing more is sent there before the service has said that it serves. One
                # call that is refused again and again is no reason: others may be served.
                self._failed(began=pending.began)
                self._link.renew()
            # No count of breaks: the service said itself that it did not take the call.
            pending.called_us = 0
            pending.owner.refused(pending)
        self._tell_room()

    def _take_out(self, name: bytes) -> Pending | None:
        pending = self._called.pop(name, None)
        if pending is not None:
            self.breaker.ended()
        return pending

    def _fail(self, pending: Pending, code: FailureCode, message: str) -> None:
        pending.is_done = True
        pending.owner.answered(pending, failed_reply(pending.request, code, message))

    def _failed(self, *, began: float) -> None:
        now = self._loop.time()
        if self.breaker.failed(now, began=began):
            pause = self.breaker.ends - now
            log.warning("agent service %s is left out for %.1f s", self.target, pause)
            self._loop.call_later(pause, self._tell_room)

    def _tell_room(self) -> None:
        for on_room in self._watchers:
            on_room()

    def _sweep(self) -> None:
        now = self._loop.time()
        late = [pending for pending in self._called.values() if pending.expires <= now]
        for pending in late:
            self._take_out(pending.name)
            if pending.is_sent:
                message = f"no answer within {pending.request.deadline_ms} ms from {self.target}"
                if pending.is_heard:
                    self.breaker.succeeded()
                else:
                    self._failed(began=pending.began)
                self._fail(pending, FAILURE_CODE_DEADLINE_EXCEEDED, message)
            else:
                # It lay behind a write that the service does not read: its trouble, not the
                # turn's.
                pending.is_done = True
                pending.owner.dropped(pending)
        if late:
            self._tell_room()
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self._called else None
