"""Tenants share one agent: the dispatcher, a real gRPC service of limited concurrency, 50 tenants.

What counts is which calls the service was asked, in which order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from headgate.rpc.dispatcher import Dispatcher
from headgate.v1.agent_pb2 import TurnReply, TurnRequest
from headgate.v1.connection_pb2 import CallLimits
from headgate.v1.cost_pb2 import Share, Terms
from headgate.v1.turn_pb2 import InvokeRequest
from tests.integration import doubles
from tests.integration.doubles import ListJournal, Service, call, completed, until
from tests.integration.doubles import dispatcher as greeted

pytestmark = pytest.mark.asyncio

TENANTS = {f"t{number}": 1 + number % 5 for number in range(50)}
CONCURRENCY = 8
COUNTED = 3_000
"""Calls begun that are looked at: 20 for each unit of weight, so that 5 % of the least is one."""


class Turnstile:
    """A service that does nothing until it is opened; knows whom it was asked for, in order.

    All that come wait, so that what is under way while it is closed is known: the calls that were
    begun before there was any choice.
    """

    def __init__(self) -> None:
        self.service = Service(self._answer, has_stream=False)
        self.opened = asyncio.Event()

    async def _answer(self, request: TurnRequest) -> TurnReply:
        await self.opened.wait()
        return await completed(request)

    @property
    def asked(self) -> Sequence[str]:
        """Tenants of the calls in their order: their keys begin with it."""
        return [request.key.partition(":")[0] for request in self.service.asked]


Start = Callable[[], Awaitable[tuple[Turnstile, int, Dispatcher]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a service and a dispatcher; ended in the order that lets both end."""
    ends: list[Callable[[], Awaitable[None]]] = []

    async def make() -> tuple[Turnstile, int, Dispatcher]:
        turnstile = Turnstile()
        server, port = await doubles.serve(turnstile.service)
        dispatcher = greeted(ListJournal())
        ends.extend([dispatcher.close, lambda: server.stop(None)])
        return turnstile, port, dispatcher

    yield make
    for end in ends:
        await end()


def calls_of(tenant: str, count: int, first: int, port: int) -> list[InvokeRequest]:
    made = []
    for number in range(first, first + count):
        request = call(number, port, limits=CallLimits(concurrency=CONCURRENCY))
        request.call.tenant = tenant
        request.call.request.key = f"{tenant}:{number}"
        made.append(request)
    return made


def terms(of: dict[str, int], updated_ms: int = 1, rate: float = 0.0) -> InvokeRequest:
    shares = {tenant: Share(weight=weight, rate=rate) for tenant, weight in of.items()}
    return InvokeRequest(terms=Terms(tenants=shares, updated_ms=updated_ms))


def has_shares(asked: Sequence[str], of: dict[str, int]) -> None:
    counts = Counter(asked)
    for tenant, weight in of.items():
        ideal = len(asked) * weight / sum(of.values())
        assert counts[tenant] == pytest.approx(ideal, rel=0.05), tenant


async def test_fifty_tenants_have_their_shares_within_5_percent_and_one_that_comes_late(
    start: Start,
) -> None:
    turnstile, port, dispatcher = await start()
    dispatcher.take(terms({**TENANTS, "late": 10}))
    # One tenant after the other, 200 calls each: first come, first served would begin with 15
    # tenants, and no call of the others.
    for number, tenant in enumerate(TENANTS):
        for each in calls_of(tenant, 200, number * 1_000, port):
            dispatcher.take(each)
    await until(lambda: len(turnstile.asked) == CONCURRENCY)
    turnstile.opened.set()
    await until(lambda: len(turnstile.asked) >= COUNTED)
    for each in calls_of("late", 200, 100_000, port):
        dispatcher.take(each)
    came = len(turnstile.asked)
    await until(lambda: len(turnstile.asked) >= came + CONCURRENCY + 1_600)
    asked = turnstile.asked
    has_shares(asked[:COUNTED], TENANTS)
    # Its quiet time gains it nothing, and costs it nothing.
    assert "late" not in asked[:came]
    has_shares(asked[came + CONCURRENCY :][:1_600], {**TENANTS, "late": 10})


async def test_weights_that_change_count_for_what_waits_already(start: Start) -> None:
    turnstile, port, dispatcher = await start()
    dispatcher.take(terms({"a": 1, "b": 9}))
    for number, tenant in enumerate("ab"):
        for each in calls_of(tenant, 500, number * 1_000, port):
            dispatcher.take(each)
    await until(lambda: len(turnstile.asked) == CONCURRENCY)
    dispatcher.take(terms({"a": 9, "b": 1}, updated_ms=2))
    # Of another Gate subtask, that is behind.
    dispatcher.take(terms({"a": 1, "b": 99}))
    turnstile.opened.set()
    await until(lambda: len(turnstile.asked) >= CONCURRENCY + 400)
    has_shares(turnstile.asked[CONCURRENCY:][:400], {"a": 9, "b": 1})
    await until(lambda: len(turnstile.asked) == 1_000)
    assert dispatcher.counts.dropped == 0


async def test_a_tenant_over_its_rate_waits_and_holds_up_nobody(start: Start) -> None:
    turnstile, port, dispatcher = await start()
    turnstile.opened.set()
    dispatcher.take(terms({"slow": 1}, rate=20.0))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for each in calls_of("slow", 50, 0, port):
        dispatcher.take(each)
    for each in calls_of("free", 500, 1_000, port):
        dispatcher.take(each)
    await until(lambda: turnstile.asked.count("free") == 500)
    # A second's calls at once, then 20 a second.
    assert turnstile.asked.count("slow") <= 20 + 20 * (loop.time() - began) + 1
    await until(lambda: turnstile.asked.count("slow") == 50)
    took = loop.time() - began
    # It is woken at the right time: 30 calls after the first 20. The rest is a busy machine's.
    assert 1.45 <= took < 10
