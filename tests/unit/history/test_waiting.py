"""Many who wait, who go in the middle of an answer, or who read slowly: others are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from sqlalchemy import Engine

from headgate.history.answers import STREAMS, THREADS, Answers
from headgate.history.reading import Reader
from headgate.history.rpc import History
from headgate.history.store import Read, Store
from headgate.v1 import history_pb2 as pb
from headgate.v1 import history_pb2_grpc
from headgate.v1.turn_pb2 import HistoryRecord
from tests.unit.history.test_strange import NOW, Idle, closed, turn

# gRPC's threads may still tell of a call when its test has ended: one loop hears of all.
pytestmark = pytest.mark.asyncio(loop_scope="module")

INSTANCES = 2_000
LARGE = b'"%s"' % (b"x" * 4_000)
SECONDS = 30.0


@pytest_asyncio.fixture(loop_scope="module")
async def stub(engine: Engine) -> AsyncIterator[Any]:
    """A service whose snapshot is far more than what connections hold on their way."""
    store = Store(engine)
    positions = store.positions(1)
    records = [turn(1, NOW, str(number), a=LARGE) for number in range(INSTANCES)]
    values = [each.SerializeToString() for each in (*records, closed(NOW))]
    store.write([Read(0, values, len(values))], positions)
    double: Any = Idle()
    answers = Answers(Reader(engine), double)
    server = grpc.aio.server()
    history_pb2_grpc.add_HistoryServicer_to_server(History(answers), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield history_pb2_grpc.HistoryStub(channel)
    await server.stop(0)
    answers.close()


async def end(*calls: Any) -> None:
    """Cancel calls as a client does that goes, and wait until they have ended here."""
    for call in calls:
        call.cancel()
    await asyncio.gather(*(call.code() for call in calls), return_exceptions=True)


async def checked_out(engine: Engine, count: int) -> None:
    pool: Any = engine.pool
    async with asyncio.timeout(SECONDS):
        while pool.checkedout() > count:
            await asyncio.sleep(0.02)


async def test_who_goes_in_the_middle_of_an_answer_leaves_nothing_behind(
    stub: Any, engine: Engine
) -> None:
    for _ in range(3 * (THREADS + STREAMS)):
        call = stub.Snapshot(pb.SnapshotRequest())
        await call.read()
        await end(call)
    await checked_out(engine, 0)
    found = [each async for each in stub.Snapshot(pb.SnapshotRequest(), timeout=SECONDS)]
    assert len(found) == INSTANCES


async def test_who_reads_slowly_holds_nobody_up_who_asks_for_one_instance(
    stub: Any, engine: Engine
) -> None:
    slow = [stub.Snapshot(pb.SnapshotRequest()) for _ in range(3 * STREAMS)]
    reads = [asyncio.ensure_future(call.read()) for call in slow]
    await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED, timeout=SECONDS)
    asked = pb.GetStateAsOfRequest(agent_type="thing", key="7")
    state = await stub.GetStateAsOf(asked, timeout=SECONDS)
    assert dict(state.state.values) == {"a": LARGE}
    assert (await stub.GetPosition(pb.GetPositionRequest(), timeout=SECONDS)).instances == INSTANCES
    await end(*slow)
    await checked_out(engine, 0)


async def test_who_stops_reading_makes_room_for_others(
    stub: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for the one who does read, on a busy machine.
    monkeypatch.setattr("headgate.history.answers.IDLE_SECONDS", 2.0)
    stopped = [stub.Snapshot(pb.SnapshotRequest()) for _ in range(STREAMS)]
    await asyncio.gather(*(call.read() for call in stopped))
    found = [each async for each in stub.Snapshot(pb.SnapshotRequest(), timeout=SECONDS)]
    assert len(found) == INSTANCES
    await end(*stopped)
    await checked_out(engine, 0)


async def test_who_waits_holds_no_thread(stub: Any) -> None:
    moment = pb.Moment(at_us=NOW + 1, wait_ms=60_000)
    request = pb.GetStateAsOfRequest(agent_type="thing", key="1", moment=moment)
    waiting = [stub.GetStateAsOf(request) for _ in range(10 * THREADS)]
    state = await stub.GetStateAsOf(
        pb.GetStateAsOfRequest(agent_type="thing", key="7"), timeout=SECONDS
    )
    assert state.turn == 1
    assert not any(each.done() for each in waiting)
    await end(*waiting)


async def test_who_waits_is_answered_when_the_moment_closes(stub: Any, engine: Engine) -> None:
    moment = pb.Moment(at_us=NOW + 5, wait_ms=60_000)
    request = pb.GetStateAsOfRequest(agent_type="thing", key="1", moment=moment)
    waiting = stub.GetStateAsOf(request, timeout=SECONDS)
    store = Store(engine)
    positions = store.positions(1)
    later = [turn(2, NOW + 3, "1", b=b"2"), HistoryRecord(), closed(NOW + 6)]
    values = [each.SerializeToString() for each in later]
    store.write([Read(0, values, positions[0].next_offset + 3)], positions)
    assert (await waiting).turn == 2
