"""Several endpoints of one agent type, and what an agent type is allowed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from itertools import count
from typing import Any

import grpc
import pytest

from headgate.rpc.dispatcher import Dispatcher
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_DEADLINE_EXCEEDED,
    TurnReply,
    TurnReplyBatch,
    TurnRequest,
)
from headgate.v1.connection_pb2 import Breaker, CallLimits, Connection
from tests.integration.doubles import (
    Answer,
    ListJournal,
    Service,
    call,
    completed,
    dispatcher,
    serve,
    silent,
    until,
    until_outcomes,
)

pytestmark = pytest.mark.asyncio

BOTH_WIRES = pytest.mark.parametrize("has_stream", [True, False], ids=["Turns", "Turn"])


class Gated(Service):
    """Answers nothing until it is told to; counts what runs at the same time."""

    def __init__(self, *, has_stream: bool = False) -> None:
        super().__init__(self.wait, has_stream=has_stream)
        self.gate = asyncio.Event()
        self.running = self.most = 0

    async def wait(self, request: TurnRequest) -> TurnReply:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        self.running -= 1
        return await completed(request)


def _seen(service: Service, journal: ListJournal, count: int) -> bool:
    return len(service.asked) + len(journal.outcomes) >= count


async def _call_both(mine: Dispatcher, journal: ListJournal, first: Service, *ports: int) -> int:
    """Make calls until the first service has one and another was answered; return how many.

    Whichever is connected first would take all that is asked at once.
    """
    for number in count(1):
        mine.take(call(number, *ports))
        await until(partial(_seen, first, journal, number))
        if first.asked and journal.outcomes:
            return number
    raise AssertionError


@BOTH_WIRES
async def test_calls_are_spread_evenly_over_endpoints(has_stream: bool) -> None:
    journal, services = ListJournal(), [Service(completed, has_stream=has_stream) for _ in range(3)]
    served = [await serve(service) for service in services]
    mine = dispatcher(journal)
    ports = [port for _, port in served]
    # One after the other: nothing is ever in flight when the next is put to an endpoint.
    for number in count():
        mine.take(call(number, *ports))
        await until_outcomes(journal, number + 1)
        if all(service.asked for service in services):
            break
    # The first calls came before all of them were connected.
    before = [len(service.asked) for service in services]
    for later in range(number + 1, number + 61):
        mine.take(call(later, *ports))
        await until_outcomes(journal, later + 1)
    asked = [len(service.asked) - begun for service, begun in zip(services, before, strict=True)]
    assert asked == [20, 20, 20]
    await mine.close()
    for server, _ in served:
        await server.stop(None)


async def test_a_busy_endpoint_gets_less() -> None:
    journal, slow, quick = ListJournal(), Gated(), Service(completed)
    (one, slow_port), (two, quick_port) = await serve(slow), await serve(quick)
    mine = dispatcher(journal)
    for number in range(40):
        mine.take(call(number, slow_port, quick_port))
        await until(partial(_seen, slow, journal, number + 1))
    # Each call that waits at the slow one is one more reason to go to the other.
    assert len(slow.asked) <= 2
    slow.gate.set()
    await until(lambda: len(journal.outcomes) == 40)
    await mine.close()
    await one.stop(None)
    await two.stop(None)


@BOTH_WIRES
async def test_the_calls_of_an_endpoint_that_dies_go_to_another(has_stream: bool) -> None:
    journal = ListJournal()
    hanging, healthy = Service(silent, has_stream=has_stream), Service(completed)
    (one, first), (two, second) = await serve(hanging), await serve(healthy)
    mine = dispatcher(journal)
    begun = await _call_both(mine, journal, hanging, first, second)
    for number in range(begun + 1, begun + 21):
        mine.take(call(number, first, second))
    await until(lambda: len(journal.outcomes) + len(hanging.asked) == begun + 20)
    await one.stop(None)
    await until(lambda: len(journal.outcomes) == begun + 20)
    assert all(outcome.HasField("completed") for outcome in journal.outcomes)
    assert mine.counts.dropped == 0
    await mine.close()
    await two.stop(None)


@BOTH_WIRES
async def test_an_endpoint_that_never_answers_is_left_out(has_stream: bool) -> None:
    journal = ListJournal()
    hanging, healthy = Service(silent, has_stream=has_stream), Service(completed)
    (one, first), (two, second) = await serve(hanging), await serve(healthy)
    mine = dispatcher(journal)
    # A pause longer than the test: what is left out stays so.
    connection = Connection(breaker=Breaker(failures=3, pause_ms=600_000))
    for number in range(60):
        mine.take(call(number, first, second, deadline_ms=1_000, connection=connection))
        await until_outcomes(journal, number + 1)
    codes = Counter(outcome.failed.code for outcome in journal.outcomes)
    assert codes == {FAILURE_CODE_DEADLINE_EXCEEDED: 3, 0: 57}
    assert len(hanging.asked) == 3
    await mine.close()
    await one.stop(None)
    await two.stop(None)


async def test_one_that_is_left_out_is_tried_again_and_trusted_again() -> None:
    behaviour: dict[str, Answer] = {"answer": silent}

    async def answer(request: TurnRequest) -> TurnReply | None:
        return await behaviour["answer"](request)

    journal, service = ListJournal(), Service(answer)
    server, port = await serve(service)
    mine = dispatcher(journal)
    connection = Connection(breaker=Breaker(failures=2, pause_ms=300))
    for number in range(2):
        mine.take(call(number, port, deadline_ms=100, connection=connection))
    await until(lambda: len(journal.outcomes) == 2)
    behaviour["answer"] = completed
    for number in range(2, 30):
        mine.take(call(number, port, deadline_ms=10_000, connection=connection))
    # It is connected all the while; the breaker alone holds them back.
    assert len(service.asked) == 2
    await until(lambda: len(journal.outcomes) == 30)
    assert [outcome.HasField("completed") for outcome in journal.outcomes[2:]] == [True] * 28
    await mine.close()
    await server.stop(None)


async def test_unavailable_costs_no_attempt_and_another_endpoint_takes_over() -> None:
    class Draining(Service):
        async def Turn(self, request: TurnRequest, context: grpc.aio.ServicerContext) -> TurnReply:  # noqa: N802
            self.asked.append(request)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
            raise AssertionError

    journal = ListJournal()
    draining, healthy = Draining(completed, has_stream=False), Service(completed)
    (one, first), (two, second) = await serve(draining), await serve(healthy)
    mine = dispatcher(journal)
    for number in count(1):
        mine.take(call(number, first, second))
        await until(lambda: len(journal.outcomes) == number)  # noqa: B023 - awaited here
        if draining.asked:
            break
    assert all(outcome.HasField("completed") for outcome in journal.outcomes)
    await mine.close()
    await one.stop(None)
    await two.stop(None)


async def test_an_agent_type_has_no_more_calls_in_flight_than_it_may() -> None:
    journal, services = ListJournal(), [Gated(), Gated()]
    served = [await serve(service) for service in services]
    other, port = await serve(Service(completed))
    mine = dispatcher(journal)
    limits = CallLimits(concurrency=3)
    for number in range(12):
        mine.take(call(number, *(p for _, p in served), limits=limits))
    await until(lambda: sum(service.running for service in services) == 3)
    # Another agent type is not held up, even where calls of the first wait.
    mine.take(call(99, port, agent_type="other"))
    await until(lambda: len(journal.outcomes) == 1)
    for service in services:
        service.gate.set()
    await until(lambda: len(journal.outcomes) == 13)
    assert sum(service.most for service in services) <= 2 * 3
    assert max(service.most for service in services) <= 3
    assert mine.counts.dropped == 0
    await mine.close()
    for server in (other, *(server for server, _ in served)):
        await server.stop(None)


async def test_beyond_its_rate_an_agent_type_waits_and_loses_nothing() -> None:
    journal, service = ListJournal(), Service(completed)
    server, port = await serve(service)
    mine = dispatcher(journal)
    begun = asyncio.get_running_loop().time()
    # Each waits longer than its deadline, which only counts once it is called.
    for number in range(40):
        mine.take(call(number, port, deadline_ms=200, limits=CallLimits(rate=40, burst=1)))
    await until(lambda: len(journal.outcomes) == 40)
    took = asyncio.get_running_loop().time() - begun
    assert all(outcome.HasField("completed") for outcome in journal.outcomes)
    # Never faster than it may be; how much slower is the machine's affair.
    assert took >= 39 / 40
    assert mine.counts.dropped == 0
    await mine.close()
    await server.stop(None)


async def test_what_waits_for_a_service_that_is_away_is_given_up_at_its_deadline() -> None:
    journal = ListJournal()
    server, port = await serve(Service(completed))
    await server.stop(None)
    mine = dispatcher(journal)
    mine.take(call(1, port, deadline_ms=200))
    await until(lambda: mine.counts.dropped == 1)
    assert journal.outcomes == []
    await mine.close()


async def test_connections_that_no_agent_type_uses_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Watched(Service):
        def __init__(self) -> None:
            super().__init__(completed)
            self.ended = asyncio.Event()

        async def Turns(self, requests: Any, context: Any) -> AsyncIterator[TurnReplyBatch]:  # noqa: N802
            try:
                async for batch in super().Turns(requests, context):
                    yield batch
            finally:
                self.ended.set()

    monkeypatch.setattr("headgate.rpc.pools.IDLE_SECONDS", 0.0)
    journal, old = ListJournal(), Watched()
    (one, old_port), (two, port) = await serve(old), await serve(Service(completed))
    mine = dispatcher(journal)
    mine.take(call(1, old_port))
    await until_outcomes(journal, 1)
    assert not old.ended.is_set()
    mine.take(call(2, port, agent_type="other"))
    await until(old.ended.is_set)
    # Not for good.
    mine.take(call(3, old_port))
    await until_outcomes(journal, 3)
    await mine.close()
    await one.stop(None)
    await two.stop(None)


async def test_a_new_spec_lets_go_of_what_waits_for_the_old_one() -> None:
    journal = ListJournal()
    gone, dead_port = await serve(Service(completed))
    # Before the port of the other is free: it would get that one, now and then.
    server, port = await serve(Service(completed))
    await gone.stop(None)
    mine = dispatcher(journal)
    mine.take(call(1, dead_port))
    mine.take(call(2, port))
    assert mine.counts.dropped == 1
    # As Gate does, once a tick has told it.
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 2)
    await mine.close()
    await server.stop(None)
