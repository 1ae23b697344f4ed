"""Redis that hangs, is gone, or is no longer fed: what a view says then, and that it catches up."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from headgate.local.redis import Redis
from headgate.redis.errors import RedisUnreachableError
from headgate.view import NotYetError, PastError, View
from tests.redis_server import settings
from tests.unit.history.telling import PARTITIONS, Telling
from tests.unit.redis.test_target import Hashed, batch_of, feed_all, target_of

# Long enough for a busy machine: a server that does not hang answers in less.
ANSWER_SECONDS = 3.0


def fed(server: Redis, turns: int) -> tuple[Telling, View]:
    told = Hashed(31, instances=1)
    told.go_on(turns)
    config = settings(server)
    feed_all(config, told, 31)
    return told, View(server.url, prefix=config.prefix, answer_seconds=ANSWER_SECONDS)


def test_a_server_that_hangs_is_told_of_and_then_goes_on(server: Redis) -> None:
    async def read() -> None:
        _, view = fed(server, 5)
        async with view:
            assert (await view.get("thing/0")).turn == 5
            server.pause()
            try:
                began = time.monotonic()
                with pytest.raises(RedisUnreachableError, match="cannot be used"):
                    await view.get("thing/0")
                # Told, not left waiting: a minute is beyond any wait of the view's own.
                assert time.monotonic() - began < 60
            finally:
                server.resume()
            assert (await view.get("thing/0")).turn == 5

    asyncio.run(read())


def test_a_server_that_was_killed_is_found_again(server: Redis) -> None:
    async def read() -> None:
        _, view = fed(server, 5)
        async with view:
            assert (await view.get("thing/0")).turn == 5
            server.kill()
            await asyncio.to_thread(server.await_serving)
            assert (await view.get("thing/0")).turn == 5

    asyncio.run(read())


def test_a_snapshot_of_what_is_removed_meanwhile_is_none(server: Redis) -> None:
    told = Telling(33)
    told.go_on(60)
    config = settings(server)
    feed_all(config, told, 33)

    async def read() -> None:
        async with View(server.url, prefix=config.prefix) as view:
            seen = view.snapshot()
            await anext(seen)
            await asyncio.to_thread(target_of(config).erase)
            await asyncio.to_thread(feed_all, config, told, 34)
            with pytest.raises(PastError, match="was removed while"):
                _ = [each async for each in seen]

    asyncio.run(read())


def test_questions_side_by_side_never_go_back(server: Redis) -> None:
    told = Hashed(35, instances=1)
    told.go_on(40)
    config = settings(server)
    target = target_of(config)

    async def write() -> None:
        for begin in range(41):
            for number in range(PARTITIONS):
                if begin < len(told.records[number]):
                    batch = batch_of(told, target, number, begin, begin + 1)
                    await asyncio.to_thread(target.write, batch, begin)

    async def ask(view: View, shown: list[int]) -> None:
        for _ in range(60):
            shown.append((await view.get("thing/0")).turn)

    async def read() -> None:
        async with View(server.url, prefix=config.prefix) as view:
            shown: list[int] = []
            async with asyncio.TaskGroup() as group:
                group.create_task(write())
                for _ in range(4):
                    group.create_task(ask(view, shown))
            assert shown == sorted(shown)

    asyncio.run(read())


def test_cut_off_from_its_feeder_it_answers_with_what_it_has_unless_more_is_asked_for(
    server: Redis,
) -> None:
    told = Hashed(32, instances=1)
    told.go_on(5)
    config = settings(server)
    feed_all(config, told, 32)
    told.go_on(5)

    async def read() -> None:
        async with View(server.url, prefix=config.prefix) as view:
            assert (await view.get("thing/0")).turn == 5
            with pytest.raises(NotYetError, match="turn 10 did not come within"):
                await view.get("thing/0", at_least=10, wait_seconds=0.05)
            waiting = asyncio.create_task(view.get("thing/0", at_least=10))
            target = target_of(config)
            for number in range(PARTITIONS):
                begin = target.position(number)
                await asyncio.to_thread(
                    target.write, batch_of(told, target, number, begin, begin + 20), begin
                )
            seen = await waiting
            assert seen.turn == 10
            # And from then on never less.
            turns = [(await view.get("thing/0")).turn for _ in itertools.repeat(None, 3)]
            assert turns == [10, 10, 10]

    asyncio.run(read())
