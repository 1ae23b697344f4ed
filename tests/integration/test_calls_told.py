"""What Invoke tells Gate with its ticks of how calls stand, for metrics."""

from __future__ import annotations

import asyncio

import pytest

from headgate.v1.agent_pb2 import TurnReply, TurnRequest
from headgate.v1.connection_pb2 import Breaker, Connection
from headgate.v1.turn_pb2 import EndpointCalls
from tests.integration.doubles import (
    HELLO,
    ListJournal,
    Service,
    call,
    completed,
    dispatcher,
    serve,
    until,
)


@pytest.fixture(autouse=True)
def _fast_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.rpc.dispatcher.TICK_SECONDS", 0.05)


def told(journal: ListJournal) -> list[EndpointCalls]:
    """Return what the newest tick with calls told."""
    ticks = [tick for tick in journal.ticks if tick.HasField("calls")]
    return list(ticks[-1].calls.endpoints)


async def test_calls_in_flight_are_told_by_agent_and_endpoint_in_one_partition_alone() -> None:
    may_answer = asyncio.Event()

    async def later(request: TurnRequest) -> TurnReply:
        await may_answer.wait()
        return await completed(request)

    journal = ListJournal()
    server, port = await serve(Service(later))
    mine = dispatcher(journal)
    mine.take(HELLO)
    for number in range(3):
        mine.take(call(number, port))
    mine.take(call(9, port, agent_type="other"))
    await until(lambda: sum(each.in_flight for each in told(journal)) == 4)
    by_type = {each.agent_type: each for each in told(journal)}
    assert {name: each.in_flight for name, each in by_type.items()} == {"a": 3, "other": 1}
    assert all(each.endpoint.endswith(f":{port}") for each in by_type.values())
    assert not any(each.down or each.left_out for each in by_type.values())
    await until(lambda: min(each.oldest_ms for each in told(journal)) >= 100)
    assert {tick.partition for tick in journal.ticks if tick.HasField("calls")} == {0}
    mine.take(call(9, port, agent_type="other"))
    await until(lambda: journal.ticks[-2].calls.repeats + journal.ticks[-1].calls.repeats == 1)
    may_answer.set()
    await until(lambda: sum(each.in_flight for each in told(journal)) == 0)
    assert {each.oldest_ms for each in told(journal)} == {0}
    await mine.close()
    await server.stop(None)


async def test_an_endpoint_that_is_away_is_told_as_down() -> None:
    journal = ListJournal()
    server, port = await serve(Service(completed))
    await server.stop(None)
    mine = dispatcher(journal)
    mine.take(HELLO)
    mine.take(call(1, port))
    await until(lambda: any(each.down for each in told(journal)))
    await mine.close()


async def test_an_endpoint_that_misses_deadlines_is_told_as_left_out() -> None:
    async def silent(_: TurnRequest) -> None:
        return None

    journal = ListJournal()
    server, port = await serve(Service(silent))
    mine = dispatcher(journal)
    mine.take(HELLO)
    trusted = Connection(breaker=Breaker(failures=1, pause_ms=60_000))
    mine.take(call(1, port, deadline_ms=50, connection=trusted))
    await until(lambda: any(each.left_out for each in told(journal)))
    await mine.close()
    await server.stop(None)


async def test_what_a_changed_spec_no_longer_names_is_not_told_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headgate.rpc.pools.STANDS_SECONDS", 0.0)
    journal = ListJournal()
    server, port = await serve(Service(completed))
    mine = dispatcher(journal)
    mine.take(HELLO)
    mine.take(call(1, port))
    await until(lambda: len(journal.outcomes) == 1)
    await until(lambda: told(journal) == [])
    await mine.close()
    await server.stop(None)
