"""The batcher: what it gathers, and whose failure is whose."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from headgate.sdk import Agent, Batcher, Event, RetryableError, TerminalError, Turn
from headgate.sdk.errors import DefinitionError
from headgate.sdk.turnstile import Turnstile
from headgate.v1 import agent_pb2 as pb


class Doubling:
    """Doubles numbers, notes each batch, and raises for what a test calls bad."""

    def __init__(self, bad: Callable[[list[int]], Exception | None] = lambda _: None) -> None:
        self.batches: list[list[int]] = []
        self._bad = bad

    async def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        error = self._bad(items)
        if error is not None:
            raise error
        return [2 * item for item in items]


class Held:
    """As Doubling, but each batch waits until the test lets it go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.release = asyncio.Semaphore(0)
        self.began = asyncio.Semaphore(0)

    async def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.began.release()
        await self.release.acquire()
        return [2 * item for item in items]


async def settled(*asked: Any) -> list[Any]:
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_what_is_asked_at_the_same_time_is_one_call() -> None:
    call = Doubling()
    double = Batcher(call)
    assert await asyncio.gather(*map(double, range(5))) == [0, 2, 4, 6, 8]
    assert await double(7) == 14
    assert call.batches == [[0, 1, 2, 3, 4], [7]]


async def test_turns_of_one_message_are_one_call() -> None:
    call = Doubling()
    double = Batcher(call)
    agent = Agent("doubling")

    @agent.on("*")
    async def handle(turn: Turn[Any], event: Event) -> None:
        turn.emit("doubled", await double(event.data))

    replies: list[pb.TurnReply] = []
    turnstile = Turnstile({"doubling": agent}, 100)
    for number in range(10):
        event = pb.Event(id="e", type="t", data=str(number).encode())
        request = pb.TurnRequest(agent_type="doubling", key=str(number), events=[event])
        turnstile.submit(request, replies.append)
    async with asyncio.timeout(30):
        while len(replies) < 10:
            await asyncio.sleep(0)
    turnstile.close()
    assert call.batches == [list(range(10))]
    assert [reply.outputs[0].data for reply in replies] == [
        str(2 * number).encode() for number in range(10)
    ]


async def test_no_batch_is_larger_than_its_limit_and_none_is_left_behind() -> None:
    call = Doubling()
    double = Batcher(call, max_size=4)
    assert await asyncio.gather(*map(double, range(10))) == [2 * n for n in range(10)]
    assert [len(batch) for batch in call.batches] == [4, 4, 2]


async def test_while_a_batch_runs_the_next_one_gathers() -> None:
    call = Held()
    double = Batcher(call)
    first = asyncio.create_task(double(1))
    await call.began.acquire()
    later = [asyncio.create_task(double(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    later.append(asyncio.create_task(double(4)))
    await asyncio.sleep(0)
    assert call.batches == [[1]]
    call.release.release()
    assert await first == 2
    await call.began.acquire()
    call.release.release()
    assert await asyncio.gather(*later) == [4, 6, 8]
    assert call.batches == [[1], [2, 3, 4]]


async def test_so_many_batches_run_at_once_and_no_more() -> None:
    call = Held()
    double = Batcher(call, max_size=1, concurrency=2)
    asked = [asyncio.create_task(double(n)) for n in range(3)]
    await call.began.acquire()
    await call.began.acquire()
    await asyncio.sleep(0)
    assert call.batches == [[0], [1]]
    for _ in asked:
        call.release.release()
    assert await asyncio.gather(*asked) == [0, 2, 4]


async def test_a_wait_gathers_what_comes_one_by_one() -> None:
    call = Doubling()
    double = Batcher(call, max_size=3, wait_ms=60_000)
    asked = []
    for number in range(3):
        assert call.batches == []
        asked.append(asyncio.create_task(double(number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    async with asyncio.timeout(30):  # the third fills the batch: nobody waits a minute
        assert await asyncio.gather(*asked) == [0, 2, 4]


async def test_a_bad_item_fails_alone() -> None:
    call = Doubling(lambda items: TerminalError("three") if 3 in items else None)
    double = Batcher(call)
    results = await settled(*map(double, range(5)))
    assert isinstance(results[3], TerminalError)
    assert results[:3] + results[4:] == [0, 2, 4, 8]
    assert call.batches == [[0, 1, 2, 3, 4], [0], [1], [2], [3], [4]]


async def test_an_overloaded_service_is_not_asked_again_one_by_one() -> None:
    call = Doubling(lambda _: RetryableError("overloaded", after=2))
    results = await settled(*map(Batcher(call), range(5)))
    assert [type(result) for result in results] == [RetryableError] * 5
    assert len(call.batches) == 1


async def test_results_that_cannot_be_told_apart_are_nobodys() -> None:
    async def first_only(items: list[int]) -> list[int]:
        return items[:1]

    results = await settled(*map(Batcher(first_only), range(3)))
    assert [type(result) for result in results] == [DefinitionError] * 3


async def test_a_turn_that_is_cancelled_leaves_the_line() -> None:
    call = Held()
    double = Batcher(call)
    running = [asyncio.create_task(double(n)) for n in (1, 2)]
    await call.began.acquire()
    waiting = [asyncio.create_task(double(n)) for n in (3, 4)]
    await asyncio.sleep(0)
    running[0].cancel()
    waiting[0].cancel()
    call.release.release()
    await call.began.acquire()
    call.release.release()
    results = await settled(*running, *waiting)
    assert [type(result) for result in results] == [
        asyncio.CancelledError,
        int,
        asyncio.CancelledError,
        int,
    ]
    assert call.batches == [[1, 2], [4]]


async def test_a_plain_function_runs_in_a_thread_of_its_own() -> None:
    threads: list[threading.Thread] = []

    def double(items: list[int]) -> Sequence[int]:
        threads.append(threading.current_thread())
        return [2 * item for item in items]

    assert await Batcher(double)(2) == 4
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize("raised", [SystemExit(3), StopIteration(), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [True, False], ids=["coroutine", "thread"])
async def test_what_would_hang_or_end_the_service_is_an_error_like_any(
    raised: BaseException, is_async: bool
) -> None:
    def plain(items: list[int]) -> list[int]:
        if 1 in items:
            raise raised
        return items

    async def coroutine(items: list[int]) -> list[int]:
        return plain(items)

    ask = Batcher(coroutine if is_async else plain)
    async with asyncio.timeout(30):
        results = await settled(*map(ask, range(3)))
        assert results[0] == 0
        assert isinstance(results[1], RuntimeError)
        assert results[2] == 2
        assert await ask(5) == 5  # and the line moves on


def test_a_batcher_outlives_a_loop_that_ended_under_its_call() -> None:
    call = Held()
    double = Batcher(call)

    async def leave() -> None:
        task = asyncio.create_task(double(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()

    async def again() -> int:
        call.release = asyncio.Semaphore(1)
        return await double(2)

    asyncio.run(leave())
    call.began = asyncio.Semaphore(0)
    assert asyncio.run(again()) == 4


@pytest.mark.parametrize("wrong", [{"max_size": 0}, {"concurrency": 0}, {"wait_ms": -1}])
def test_limits_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        Batcher(Doubling(), **wrong)
