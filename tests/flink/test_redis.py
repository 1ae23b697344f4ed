"""Redis beside a running job: what is fed into it by one process and by a Flink job, and events out
of a stream, while feeder, intake, Redis, Kafka, a worker and a TaskManager are killed.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from headgate.config import Config, load
from headgate.config.redis import RedisConfig
from headgate.core import render
from headgate.core.identity import partition_of
from headgate.local.jars import settings_folder
from headgate.local.redis import NoRedisServerError, program
from headgate.local.submit import submit
from headgate.redis.keys import PartitionKeys
from headgate.redis.seen import Seen
from headgate.sdk import Agent, Event, Log, Turn
from headgate.testing.folding import stored_of
from headgate.testing.stack import HeadgateStack
from headgate.v1.turn_pb2 import HistoryRecord
from headgate.view import View
from tests.flink.kills import Kills

pytestmark = [pytest.mark.flink, pytest.mark.slow, pytest.mark.chaos]

KEYS, ENTRIES = 8, 400
WAIT_SECONDS = 240.0

SETTINGS = """
[redis]
url = "{url}"
prefix = "{prefix}"
past = "1h"

[[redis.streams]]
name = "shop"
topic = "to-shopper"
"""


@dataclass
class Shopper:
    """What it has heard, in order."""

    count: int = 0
    heard: Log[str] = field(default_factory=Log)


def shopper() -> Agent[Shopper]:
    agent = Agent("shopper", Shopper)

    @agent.on("join")
    def join(turn: Turn[Shopper], event: Event) -> None:
        pass

    @agent.on("bought")
    def bought(turn: Turn[Shopper], event: Event) -> None:
        turn.state.count += 1
        turn.state.heard.append(event.id)
        turn.emit("counted", {"count": turn.state.count})

    return agent


@pytest.fixture
def stack(killed_stack: HeadgateStack) -> HeadgateStack:
    try:
        program()
    except NoRedisServerError as error:
        pytest.skip(str(error))
    return killed_stack


def written(stack: HeadgateStack, prefix: str) -> Path:
    """Write the job's configuration with a Redis, and return where."""
    home = stack.cluster.stack.home
    text = (home / "headgate.toml").read_text(encoding="utf-8")
    path = home / f"{prefix}.toml"
    settings = SETTINGS.format(prefix=prefix, url=stack.cluster.stack.start_redis().url)
    path.write_text(text + settings, encoding="utf-8")
    return path


def test_what_is_in_redis_is_the_history_and_entries_are_taken_once(stack: HeadgateStack) -> None:
    cluster, local = stack.cluster, stack.cluster.stack
    stack.attach(shopper())
    addresses = [f"shopper/{key}" for key in range(KEYS)]
    for address in addresses:
        stack.send(address, "join")
        stack.history(address)
    server = local.start_redis()
    one, other = written(stack, "one-process"), written(stack, "flink")
    feed = local.start_redis_service("feed", one)
    intake = local.start_redis_service("intake", one)
    script = settings_folder().parent / "jobs" / "redis_feed.py"
    feed_job = submit(local.flink, script, ["--config", str(other)])
    local.flink.rest.await_running(feed_job)
    try:
        nudges = itertools.count()
        kills = Kills(
            local,
            cluster.job,
            seed=4,
            each=1,
            nudge=lambda: stack.send(addresses[0], "join", id=f"nudge {next(nudges)}"),
        )
        kills.start()
        for number in range(ENTRIES):
            enter(server.url, number)
            if number % 2 == 0:
                stack.send(addresses[number // 2 % KEYS], "bought", id=f"event {number // 2}")
            if number % 100 == 25:
                feed.kill()
            if number % 100 == 50:
                server.kill()
            if number % 100 == 75:
                intake.kill()
            if number == ENTRIES // 2:
                kills.await_done(1)
                local.kafka.kill()
                local.kafka.start()
        kills.finish()
        assert_each_entry_once(stack, addresses)
        for path in (one, other):
            assert_is_history(stack, addresses, load(path))
        local.flink.rest.await_running(feed_job)
    finally:
        local.flink.rest.cancel(feed_job)


def enter(url: str, number: int) -> None:
    """Add an entry, through every death of the server: the same id again is refused."""
    fields: dict[Any, Any] = {
        "key": str(number % KEYS),
        "ce_specversion": "1.0",
        "ce_id": f"entry {number}",
        "ce_source": "shop",
        "ce_type": "bought",
        "value": "{}",
        "content-type": "application/json",
    }
    waited = threading.Event()
    for _ in range(int(WAIT_SECONDS * 10)):
        try:
            with redis.Redis.from_url(url) as client:
                client.xadd("shop", fields, id=f"1-{number + 1}")
            return
        except redis.ResponseError as error:
            # Written before the answer was lost; while it reads its file it says so.
            if "equal or smaller" in str(error):
                return
            waited.wait(0.1)
        except redis.RedisError:
            waited.wait(0.1)
    pytest.fail("Redis does not come back")


def taken(history: list[HistoryRecord]) -> list[str]:
    turns = sorted(history, key=lambda record: record.outcome.turn)
    return [ref.id for turn in turns for ref in turn.outcome.taken]


def assert_each_entry_once(stack: HeadgateStack, addresses: list[str]) -> None:
    expected = {
        address: [f"entry {number}" for number in range(ENTRIES) if number % KEYS == key]
        for key, address in enumerate(addresses)
    }

    def all_taken() -> bool | None:
        found = {
            address: {each for each in taken(stack.cluster.history(address)) if "entry" in each}
            for address in addresses
        }
        return all(set(expected[each]) <= found[each] for each in addresses) or None

    stack.cluster.await_found(all_taken, "all entries in turns")
    for address in addresses:
        events = taken(stack.history(address))
        # Order within a key is that of the stream, and nothing twice.
        assert [each for each in events if each.startswith("entry")] == expected[address]
        assert len(events) == len(set(events))


def assert_is_history(stack: HeadgateStack, addresses: list[str], config: Config) -> None:
    settings = config.redis
    histories = {address: stack.cluster.history(address) for address in addresses}
    last_us = max(turn.at_us for turns in histories.values() for turn in turns)
    found = asyncio.run(snapshot(settings, last_us))
    for address, turns in histories.items():
        expected = stored_of(turns)
        assert dict(found[address].values) == dict(expected.values)
        lists = {name: tuple(items) for name, items in found[address].lists.items()}
        assert lists == {name: items for name, items in expected.logs.items() if items}
    times = sorted(turn.at_us for turns in histories.values() for turn in turns)
    middle_us = times[len(times) // 2]
    then = asyncio.run(snapshot(settings, middle_us))
    for address, turns in histories.items():
        until = [turn for turn in turns if turn.at_us <= middle_us]
        assert dict(then[address].values) == dict(stored_of(until).values)
    with redis.Redis.from_url(settings.url) as client:
        for address, turns in histories.items():
            assert_streams(client, settings, address, sorted(turns, key=lambda t: t.outcome.turn))


async def snapshot(settings: RedisConfig, at_us: int) -> dict[str, Seen]:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    async with View(settings.url, prefix=settings.prefix) as view:
        found = view.snapshot(moment, agent_type="shopper", wait_seconds=WAIT_SECONDS)
        return {seen.address: seen async for seen in found}


def assert_streams(
    client: Any, settings: RedisConfig, address: str, turns: list[HistoryRecord]
) -> None:
    """Each turn and each output stands once in its stream, in order."""
    keys = PartitionKeys(settings.prefix, partition_of(address.encode(), 4))

    def of(stream: str) -> list[dict[bytes, bytes]]:
        entries = client.xrange(stream)
        return [fields for _, fields in entries if fields[b"address"] == address.encode()]

    assert [int(fields[b"turn"]) for fields in of(keys.changes)] == [
        turn.outcome.turn for turn in turns
    ]
    assert [fields[b"event"] for fields in of(keys.outputs)] == [
        event
        for turn in turns
        for event in render.outputs(address, turn.outcome.turn, turn.at_us, turn.outcome)
    ]
