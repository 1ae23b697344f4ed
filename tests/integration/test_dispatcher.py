"""The dispatcher against real gRPC services that answer, hang, refuse, die and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from headgate.rpc.dispatcher import Dispatcher
from headgate.rpc.endpoint import BREAKS_AT_MOST
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_RPC_ERROR,
    FAILURE_CODE_UNKNOWN_AGENT,
    TurnReply,
    TurnRequest,
)
from headgate.v1.turn_pb2 import Decision, InvokeRequest, Outcome
from tests.integration import doubles
from tests.integration.doubles import (
    Answer,
    ListJournal,
    Service,
    StatusError,
    call,
    completed,
    silent,
    until,
)
from tests.integration.doubles import dispatcher as greeted

pytestmark = pytest.mark.asyncio


class Serve:
    """Serves services until the test ends."""

    def __init__(self) -> None:
        self._servers: dict[int, grpc.aio.Server] = {}

    async def __call__(self, service: Service, port: int = 0) -> int:
        server, port = await doubles.serve(service, port)
        self._servers[port] = server
        return port

    async def stop(self, port: int) -> None:
        await self._servers.pop(port).stop(None)

    async def close(self) -> None:
        for port in list(self._servers):
            await self.stop(port)


Dispatch = Callable[..., Dispatcher]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    made = Serve()
    yield made
    await made.close()


@pytest.fixture
async def dispatcher(serve: Serve) -> AsyncIterator[Dispatch]:
    """Make dispatchers that Gate has greeted, and close them before the services that they call.

    One that a failed test leaves open hangs in the teardown of the loop: its tasks end last.
    """
    made: list[Dispatcher] = []

    def make(journal: ListJournal, **limits: int) -> Dispatcher:
        made.append(greeted(journal, **limits))
        return made[-1]

    yield make
    for each in made:
        await each.close()


BOTH = pytest.mark.parametrize("has_stream", [True, False], ids=["Turns", "Turn"])


@BOTH
async def test_each_call_is_made_once_and_journaled_once(
    serve: Serve, dispatcher: Dispatch, has_stream: bool
) -> None:
    service, journal = Service(completed, has_stream=has_stream), ListJournal()
    port = await serve(service)
    mine = dispatcher(journal)
    for number in range(50):
        mine.take(call(number, port))
        mine.take(call(number, port))
    await until(lambda: len(journal.outcomes) == 50)
    for number in range(50):
        mine.take(call(number, port))
    assert mine.counts.repeats == 100
    assert sorted(int(o.key) for o in journal.outcomes) == list(range(50))
    assert len(service.asked) == 50


async def test_a_service_that_never_answers_costs_an_attempt_of_its_own_turns_alone(
    serve: Serve, dispatcher: Dispatch
) -> None:
    journal = ListJournal()
    hanging_port = await serve(Service(silent))
    port = await serve(Service(completed))
    mine = dispatcher(journal)
    mine.take(call(1, hanging_port, deadline_ms=300))
    mine.take(call(2, port, agent_type="other"))
    await until(lambda: len(journal.outcomes) == 2)
    first, second = journal.outcomes
    assert (first.key, first.WhichOneof("verdict")) == ("2", "completed")
    assert second.failed.code == FAILURE_CODE_DEADLINE_EXCEEDED
    assert second.failed.retry_after_ms > 0


async def test_what_does_not_fit_the_queue_is_dropped_and_told_by_the_next_tick(
    serve: Serve, dispatcher: Dispatch
) -> None:
    journal = ListJournal()
    port = await serve(Service(silent))
    mine = dispatcher(journal, concurrency=1, queue_bytes=3_000)
    assert [t.drops for t in journal.ticks if t.start] == [0, 0]
    for number in range(10):
        mine.take(call(number, port, size=1_000))
    assert mine.counts.dropped > 0
    await until(lambda: journal.ticks[-1].drops == mine.counts.dropped)
    # A dropped call is not remembered: its re-send is a call.
    before = mine.counts.repeats
    mine.take(call(9, port, size=1_000))
    assert mine.counts.repeats == before


async def test_no_call_is_made_while_the_journal_takes_no_more(
    serve: Serve, dispatcher: Dispatch
) -> None:
    service, journal = Service(completed), ListJournal()
    port = await serve(service)
    mine = dispatcher(journal)
    journal.full = True
    for number in range(3):
        mine.take(call(number, port))
        mine.take(call(number, port))
    assert mine.counts.dropped == 6, "a dropped call is not remembered"
    # Ticks are written all the same: they tell Gate to send again.
    await until(lambda: journal.ticks[-1].drops == 6)
    assert service.asked == []
    journal.full = False
    for number in range(3):
        mine.take(call(number, port))
    await until(lambda: len(journal.outcomes) == 3)
    assert len(service.asked) == 3


async def test_what_was_paid_for_is_journaled_although_the_journal_is_full(
    serve: Serve, dispatcher: Dispatch
) -> None:
    may_answer = asyncio.Event()

    async def later(request: TurnRequest) -> TurnReply:
        await may_answer.wait()
        return await completed(request)

    service, journal = Service(later), ListJournal()
    port = await serve(service)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(service.asked) == 1)
    journal.full = True
    # A re-send of a call under way is a repeat, not a drop: it would be told for nothing.
    mine.take(call(1, port))
    assert (mine.counts.repeats, mine.counts.dropped) == (1, 0)
    may_answer.set()
    await until(lambda: len(journal.outcomes) == 1)
    # An operator's decision is no call.
    mine.take(
        InvokeRequest(
            decide=Decision(outcome=Outcome(agent_type="a", key="1", outcome_id=b"d" * 16))
        )
    )
    await until(lambda: len(journal.outcomes) == 2)


async def test_a_service_that_dies_and_returns_gets_its_calls_again_without_an_attempt(
    serve: Serve, dispatcher: Dispatch
) -> None:
    journal = ListJournal()
    first = Service(silent)
    port = await serve(first)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(first.asked) == 1)
    await serve.stop(port)
    second = Service(completed)
    await serve(second, port)
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].WhichOneof("verdict") == "completed"
    assert second.asked[0].attempt == first.asked[0].attempt == 1


def breaks(times: int) -> Answer:
    """Break the stream for so many requests, then answer."""
    left = iter(range(times))

    async def answer(request: TurnRequest) -> TurnReply:
        if next(left, None) is not None:
            msg = "this turn kills the stream"
            raise RuntimeError(msg)
        return await completed(request)

    return answer


async def test_streams_that_break_under_a_call_cost_it_nothing_for_a_while(
    serve: Serve, dispatcher: Dispatch
) -> None:
    service, journal = Service(breaks(BREAKS_AT_MOST)), ListJournal()
    port = await serve(service)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].WhichOneof("verdict") == "completed"
    assert len(service.asked) == BREAKS_AT_MOST + 1
    assert mine.counts.dropped == 0


async def test_a_call_under_which_every_stream_breaks_fails_in_the_end(
    serve: Serve, dispatcher: Dispatch
) -> None:
    service, journal = Service(breaks(1_000)), ListJournal()
    port = await serve(service)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].failed.code == FAILURE_CODE_RPC_ERROR
    assert f"{BREAKS_AT_MOST + 1} times" in journal.outcomes[0].failed.message
    assert len(service.asked) == BREAKS_AT_MOST + 1


def refusing(times: int, keys: frozenset[str]) -> Answer:
    """Be UNAVAILABLE so many times for each of some keys."""
    left = dict.fromkeys(keys, times)

    async def answer(request: TurnRequest) -> TurnReply:
        if left.get(request.key, 0):
            left[request.key] -= 1
            raise StatusError(grpc.StatusCode.UNAVAILABLE)
        return await completed(request)

    return answer


async def test_a_unary_call_that_is_refused_is_made_again_without_an_attempt_or_a_re_send(
    serve: Serve, dispatcher: Dispatch
) -> None:
    journal = ListJournal()
    service = Service(refusing(4, frozenset(["1"])), has_stream=False)
    port = await serve(service)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(service.asked) == 1)
    # The service is there for others.
    mine.take(call(2, port))
    await until(lambda: len(journal.outcomes) == 2)
    assert {(o.key, o.WhichOneof("verdict")) for o in journal.outcomes} == {
        ("1", "completed"),
        ("2", "completed"),
    }
    asked = [request for request in service.asked if request.key == "1"]
    assert [request.attempt for request in asked] == [1] * 5
    assert len({request.request_id for request in asked}) == 1
    assert mine.counts.dropped == 0
    # Nobody sent it again: a re-send would have been none.
    assert mine.counts.repeats == 0


async def test_a_unary_call_that_is_refused_for_ever_is_dropped_in_the_end(
    serve: Serve, dispatcher: Dispatch
) -> None:
    journal = ListJournal()
    service = Service(refusing(1_000, frozenset(["1"])), has_stream=False)
    port = await serve(service)
    mine = dispatcher(journal)
    mine.take(call(1, port, deadline_ms=1_000))
    await until(lambda: journal.ticks[-1].drops == 1)
    assert journal.outcomes == []
    # Pauses of 50 ms would make it 20 in a second: they must grow.
    assert 2 <= len(service.asked) <= 12
    asked = len(service.asked)
    mine.take(call(1, port))
    await until(lambda: len(service.asked) > asked)


async def test_refused_calls_that_pause_are_bounded_as_those_that_queue(
    serve: Serve, dispatcher: Dispatch
) -> None:
    journal = ListJournal()
    keys = frozenset(str(number) for number in range(10))
    service = Service(refusing(1_000, keys), has_stream=False)
    port = await serve(service)
    mine = dispatcher(journal, queue_bytes=3_000)
    for number in range(10):
        # Each alone, so that no queue forms: what is dropped is so for those that pause.
        asked = len(service.asked)
        dropped = mine.counts.dropped
        mine.take(call(number, port, size=1_000))
        await until(lambda: len(service.asked) > asked or mine.counts.dropped > dropped)  # noqa: B023
    assert mine.counts.dropped > 0


async def test_any_other_status_of_a_unary_call_is_a_failed_attempt(
    serve: Serve, dispatcher: Dispatch
) -> None:
    async def answer(_: TurnRequest) -> TurnReply:
        raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED)

    journal = ListJournal()
    port = await serve(Service(answer, has_stream=False))
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    failed = journal.outcomes[0].failed
    assert failed.code == FAILURE_CODE_RPC_ERROR
    assert "RESOURCE_EXHAUSTED" in failed.message


async def test_an_unknown_agent_type_is_an_outcome_too(dispatcher: Dispatch) -> None:
    journal = ListJournal()
    mine = dispatcher(journal)
    mine.take(call(1, 0))
    await until(lambda: len(journal.outcomes) == 1)
    (outcome,) = journal.outcomes
    assert outcome.failed.code == FAILURE_CODE_UNKNOWN_AGENT
    assert outcome.failed.dead_letter.origin.offset == 1
