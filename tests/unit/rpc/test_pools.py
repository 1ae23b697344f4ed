"""Pools and endpoints, their places and bytes: whatever becomes of a call, all are free again."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from headgate.rpc import endpoint as endpoint_module
from headgate.rpc.endpoint import Endpoint, EndpointLimits
from headgate.rpc.pending import Pending
from headgate.rpc.pool import Pool
from headgate.rpc.pools import ALONE_AT_MOST_MS, Pools
from headgate.v1.agent_pb2 import Completed, TurnReply
from headgate.v1.connection_pb2 import Breaker, CallLimits, Connection, Service
from headgate.v1.turn_pb2 import Call

pytestmark = pytest.mark.asyncio


class Link:
    """A connection that is up, and says what a test has it say."""

    is_up = has_room = True
    since = 0.0

    def __init__(self, target: str, connection: Connection, **calls: Any) -> None:
        self.tell = calls
        self.sent: list[Pending] = []

    def send(self, pending: Pending) -> None:
        pending.is_sent = True
        self.sent.append(pending)

    def want(self) -> None:
        pass

    def renew(self) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "Link", Link)


def a_call(number: int, *endpoints: str, breaker: Breaker | None = None) -> Call:
    made = Call(endpoint=endpoints[0])
    made.request.agent_type = "order"
    made.request.request_id = b"%d" % number
    made.request.deadline_ms = 60_000
    service = Service(endpoints=endpoints)
    if breaker is not None:
        service.connection.breaker.CopyFrom(breaker)
    made.service = service.SerializeToString()
    return made


class Owner:
    """Who put calls to an endpoint."""

    def __init__(self) -> None:
        self.refused_calls: list[Pending] = []

    def answered(self, pending: Pending, reply: TurnReply) -> None:
        pass

    def given_back(self, pending: Pending) -> None:
        pass

    def dropped(self, pending: Pending) -> None:
        pass

    def refused(self, pending: Pending) -> None:
        self.refused_calls.append(pending)


async def test_a_call_without_a_verdict_frees_its_place_on_trial() -> None:
    breaker = Breaker(failures=2, pause_ms=1)
    made = Endpoint("a:1", Connection(breaker=breaker), EndpointLimits(), now_us=lambda: 0)
    link: Any = made._link
    owner = Owner()
    for number in range(2):
        made.put(Pending(a_call(number, "a:1"), owner))
        link.tell["on_refused"](b"%d" % number, grpc.StatusCode.INTERNAL, "no")
    while not made.can_take():  # half open after a millisecond
        await asyncio.sleep(0.001)
    for number in range(2, 12):
        assert made.can_take(), f"call {number} finds no place"
        pending = Pending(a_call(number, "a:1"), owner)
        # Not its first refusal: no failure of the endpoint, and no success either.
        pending.refusals = 1
        made.put(pending)
        link.tell["on_refused"](pending.name, grpc.StatusCode.UNAVAILABLE, "busy")
    assert len(owner.refused_calls) == 10
    await made.close()


async def test_one_endpoint_alone_is_left_out_for_seconds_at_most() -> None:
    pools = Pools(
        EndpointLimits(),
        on_reply=lambda pending, reply: None,
        on_dropped=lambda pending: None,
        now_us=lambda: 0,
    )

    def longest(*endpoints: str, pause_ms: int = 0, pause_max_ms: int = 0) -> list[float]:
        breaker = Breaker(pause_ms=pause_ms, pause_max_ms=pause_max_ms)
        pool = pools.pool_of(a_call(1, *endpoints, breaker=breaker))
        return [each.breaker._longest for each in pool.endpoints]

    assert longest("a:1") == [ALONE_AT_MOST_MS / 1000]
    assert longest("b:1", "c:1") == [30.0, 30.0]
    assert longest("d:1", pause_max_ms=500) == [0.5]
    assert longest("e:1", pause_ms=9_000) == [9.0]
    assert longest("f:1", pause_max_ms=60_000) == [ALONE_AT_MOST_MS / 1000]
    await pools.close()


class Busy:
    """An endpoint that takes every call and keeps it."""

    load = 0
    is_up = True

    def __init__(self) -> None:
        self.taken: list[Pending] = []

    def watch(self, on_room: Any) -> None:
        pass

    def unwatch(self, on_room: Any) -> bool:
        return True

    def can_take(self) -> bool:
        return True

    def want(self) -> None:
        pass

    def put(self, pending: Pending) -> None:
        self.taken.append(pending)


async def test_refused_calls_leave_no_bytes_behind() -> None:
    busy = Busy()
    replies: list[TurnReply] = []
    pool = Pool(
        [busy],  # type: ignore[list-item]
        CallLimits(),
        10_000,
        on_reply=lambda pending, reply: replies.append(reply),
        on_dropped=lambda pending: None,
    )
    pool.submit(a_call(1, "a:1"))
    for _ in range(3):
        while not busy.taken:
            await asyncio.sleep(0.001)
        pending = busy.taken.pop()
        assert pool._queue.size == 0
        pool.refused(pending)
        assert pool._queue.size == pending.size
    while not busy.taken:
        await asyncio.sleep(0.001)
    pool.answered(busy.taken.pop(), TurnReply(completed=Completed()))
    assert (len(replies), pool._queue.size, pool.is_idle) == (1, 0, True)
    pool.leave()


async def test_a_call_that_pauses_makes_room_once_and_does_not_come_back() -> None:
    busy = Busy()
    dropped: list[Pending] = []
    refused, other = a_call(1, "a:1"), a_call(2, "a:1")
    refused.tenant, other.tenant = "large", "small"
    refused.request.key = "x" * 1_000
    pool = Pool(
        [busy],  # type: ignore[list-item]
        CallLimits(),
        1_000,
        on_reply=lambda pending, reply: None,
        on_dropped=dropped.append,
    )
    pool.submit(refused)
    while not busy.taken:
        await asyncio.sleep(0.001)
    pausing = busy.taken.pop()
    pool.refused(pausing)
    pool.submit(other)
    assert dropped == [pausing]
    while not busy.taken:
        await asyncio.sleep(0.001)
    (taken,) = busy.taken
    assert (taken.tenant, pool._queue.size) == ("small", 0)
    pool.answered(taken, TurnReply(completed=Completed()))
    assert pool.is_idle
    pool.leave()
