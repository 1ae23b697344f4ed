"""Which pool a call belongs to, and which connections pools share.

A call names its services by value (``Call.endpoint``, ``Call.service``): whatever Gate knows of
the registry comes with it, so there is no second view of the registry to keep in step. A changed
spec is another name, and makes another pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from headgate.rpc.endpoint import Endpoint, EndpointLimits
from headgate.rpc.pending import Pending
from headgate.rpc.pool import Pool
from headgate.rpc.shares import NO_SHARES, ShareOf
from headgate.v1.agent_pb2 import TurnReply
from headgate.v1.connection_pb2 import Service
from headgate.v1.turn_pb2 import Call

IDLE_SECONDS = 600.0
"""A pool that is not used for so long is closed when the next one is made. Revisions of an agent
type alternate, so that a younger one does not replace an older one at once."""

ALONE_AT_MOST_MS = 2_000
"""Longest pause of the only endpoint. Leaving one out spares calls where others can take them;
where none can they wait for this one, and an event that breaks it needs a dozen tries to be known.
"""

PoolKey = tuple[str, str, bytes]
EndpointKey = tuple[str, bytes]


class Pools:
    """Finds, makes and closes pools."""

    def __init__(
        self,
        limits: EndpointLimits,
        *,
        on_reply: Callable[[Pending, TurnReply], None],
        on_dropped: Callable[[Pending], None],
        now_us: Callable[[], int],
    ) -> None:
        self._limits = limits
        self._on_reply = on_reply
        self._on_dropped = on_dropped
        self._now_us = now_us
        self._shares: Mapping[str, ShareOf] = NO_SHARES
        self._pools: dict[PoolKey, Pool] = {}
        self._endpoints: dict[EndpointKey, Endpoint] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def pool_of(self, call: Call) -> Pool:
        """Return the pool that a call's services have; made if there is none yet."""
        agent_type = call.request.stand_in or call.request.agent_type
        key = (agent_type, call.endpoint, call.service)
        return self._pools.get(key) or self._make(key)

    def share(self, shares: Mapping[str, ShareOf]) -> None:
        """Tenants have these shares of every agent type from now on."""
        if shares == self._shares:
            return
        self._shares = shares
        for pool in self._pools.values():
            pool.share(shares)

    async def close(self) -> None:
        """Close all connections. Calls under way are left unanswered."""
        for pool in self._pools.values():
            pool.leave()
        for endpoint in self._endpoints.values():
            await endpoint.close()
        await asyncio.gather(*self._closing)

    def _make(self, key: PoolKey) -> Pool:
        agent_type, target, raw = key
        # Its spec has changed. Often that is the mend of what the others wait for, so what they
        # have not called yet is for Gate to send again.
        for other, pool in self._pools.items():
            if other[0] == agent_type:
                pool.drop_waiting()
        self._close_idle()
        service = Service.FromString(raw) if raw else Service(endpoints=[target])
        if len(set(service.endpoints)) == 1:
            breaker = service.connection.breaker
            longest = breaker.pause_max_ms or ALONE_AT_MOST_MS
            breaker.pause_max_ms = max(breaker.pause_ms, min(longest, ALONE_AT_MOST_MS))
        pool = Pool(
            [self._endpoint(each, service) for each in dict.fromkeys(service.endpoints)],
            service.limits,
            self._limits.queue_bytes,
            shares=self._shares,
            on_reply=self._on_reply,
            on_dropped=self._on_dropped,
        )
        self._pools[key] = pool
        return pool

    def _endpoint(self, target: str, service: Service) -> Endpoint:
        key = (target, service.connection.SerializeToString(deterministic=True))
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            endpoint = Endpoint(target, service.connection, self._limits, now_us=self._now_us)
            self._endpoints[key] = endpoint
        return endpoint

    def _close_idle(self) -> None:
        before = asyncio.get_running_loop().time() - IDLE_SECONDS
        idle = [k for k, p in self._pools.items() if p.is_idle and p.last_used < before]
        unused = {endpoint for key in idle for endpoint in self._pools.pop(key).leave()}
        for key, endpoint in list(self._endpoints.items()):
            if endpoint in unused:
                del self._endpoints[key]
                task = asyncio.get_running_loop().create_task(endpoint.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
