"""The dispatcher against real gRPC services that answer, hang, refuse, die and come back."""

from __future__ import annotations

import pytest

from headgate.v1.agent_pb2 import (
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_RPC_ERROR,
    FAILURE_CODE_UNKNOWN_AGENT,
    TurnRequest,
)
from headgate.v1.turn_pb2 import Hello, InvokeRequest
from tests.integration.doubles import (
    ListJournal,
    Service,
    call,
    completed,
    dispatcher,
    serve,
    silent,
    until,
)

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("has_stream", [True, False], ids=["Turns", "Turn"])
async def test_each_call_is_made_once_and_journaled_once(has_stream: bool) -> None:
    service, journal = Service(completed, has_stream=has_stream), ListJournal()
    server, port = await serve(service)
    mine = dispatcher(journal)
    for number in range(50):
        mine.take(call(number, port))
        mine.take(call(number, port))
    await until(lambda: len(journal.outcomes) == 50)
    for number in range(50):
        mine.take(call(number, port))
    assert mine.counts.repeats == 100
    await mine.close()
    await server.stop(None)
    assert sorted(int(o.key) for o in journal.outcomes) == list(range(50))
    assert len(service.asked) == 50


async def test_a_service_that_never_answers_costs_an_attempt_of_its_own_turns_alone() -> None:
    journal = ListJournal()
    hanging, slow_port = await serve(Service(silent))
    healthy, port = await serve(Service(completed))
    mine = dispatcher(journal)
    mine.take(call(1, slow_port, deadline_ms=300))
    mine.take(call(2, port, agent_type="other"))
    await until(lambda: len(journal.outcomes) == 2)
    first, second = journal.outcomes
    assert (first.key, first.WhichOneof("verdict")) == ("2", "completed")
    assert second.failed.code == FAILURE_CODE_DEADLINE_EXCEEDED
    assert second.failed.retry_after_ms > 0
    await mine.close()
    await hanging.stop(None)
    await healthy.stop(None)


async def test_what_does_not_fit_the_queue_is_dropped_and_told_by_the_next_tick() -> None:
    journal = ListJournal()
    server, port = await serve(Service(silent))
    mine = dispatcher(journal, concurrency=1, queue_bytes=3_000)
    mine.take(InvokeRequest(hello=Hello(nonce=b"n", tick_key=b"@tick/0")))
    assert [t.drops for t in journal.ticks if t.start] == [0, 0]
    for number in range(10):
        mine.take(call(number, port, size=1_000))
    assert mine.counts.dropped > 0
    await until(lambda: journal.ticks[-1].drops == mine.counts.dropped)
    # A dropped call is not remembered: its re-send is a call.
    before = mine.counts.repeats
    mine.take(call(9, port, size=1_000))
    assert mine.counts.repeats == before
    await mine.close()
    await server.stop(None)


async def test_no_call_is_made_while_the_journal_takes_no_more() -> None:
    service, journal = Service(completed), ListJournal(full=True)
    server, port = await serve(service)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    assert mine.counts.dropped == 1
    journal.full = False
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    assert len(service.asked) == 1
    await mine.close()
    await server.stop(None)


async def test_a_service_that_dies_and_returns_gets_its_calls_again_without_an_attempt() -> None:
    journal = ListJournal()
    first = Service(silent)
    server, port = await serve(first)
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(first.asked) == 1)
    await server.stop(None)
    second = Service(completed)
    server, _ = await serve(second, port)
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].WhichOneof("verdict") == "completed"
    assert second.asked[0].attempt == first.asked[0].attempt == 1
    await mine.close()
    await server.stop(None)


async def test_a_call_under_which_every_stream_breaks_fails_in_the_end() -> None:
    async def deadly(_: TurnRequest) -> None:
        msg = "this turn kills the stream"
        raise RuntimeError(msg)

    journal = ListJournal()
    server, port = await serve(Service(deadly))
    mine = dispatcher(journal)
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].failed.code == FAILURE_CODE_RPC_ERROR
    await mine.close()
    await server.stop(None)


async def test_an_unknown_agent_type_is_an_outcome_too() -> None:
    journal = ListJournal()
    mine = dispatcher(journal)
    mine.take(call(1))
    (outcome,) = journal.outcomes
    assert outcome.failed.code == FAILURE_CODE_UNKNOWN_AGENT
    assert outcome.failed.dead_letter.origin.offset == 1
    await mine.close()
