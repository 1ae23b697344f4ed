"""A partition's way into Redis where the source's position says nothing of Redis."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
import redis

from headgate.config.redis import RedisConfig
from headgate.local.redis import Redis
from headgate.redis import batch
from headgate.redis.batch import Record
from headgate.redis.errors import FeedError
from headgate.redis.mended import MendedLane
from headgate.redis.target import Target
from tests.redis_server import settings
from tests.unit.history.telling import PARTITIONS, Telling
from tests.unit.redis.test_target import TOPIC, Hashed, assert_is, batch_of, target_of


def record(told: Telling, partition: int, offset: int) -> Record:
    return Record(offset, told.records[partition][offset].SerializeToString())


def reread_of(told: Telling, asked: list[tuple[int, int, int]]) -> object:
    def reread(partition: int, begin: int, until: int) -> Iterable[Sequence[Record]]:
        asked.append((partition, begin, until))
        for offset in range(begin, until):
            yield [record(told, partition, offset)]

    return reread


def chunks(told: Telling, partition: int, begin: int, seed: int) -> Iterable[list[Record]]:
    rnd = random.Random(seed)  # noqa: S311 - to be repeated
    end = len(told.records[partition])
    while begin < end:
        until = min(end, begin + rnd.randrange(1, 9))
        yield [record(told, partition, offset) for offset in range(begin, until)]
        begin = until


def wipe(config: RedisConfig) -> None:
    """Remove all without a word: what a server has lost that comes back empty."""
    with redis.Redis.from_url(config.url) as client:
        for key in client.keys(f"{{{config.prefix}*"):
            client.delete(key)


def half_fed(server: Redis, seed: int) -> tuple[Telling, RedisConfig, Target]:
    """Some of a history, and a Redis that has the first part of each partition."""
    told = Hashed(seed)
    told.go_on(120)
    config = settings(server)
    target = target_of(config)
    for number in range(PARTITIONS):
        target.write(batch_of(told, target, number, 0, len(told.records[number]) // 2), 0)
    return told, config, target


@pytest.mark.parametrize("shift", [-5, 0, 5])
def test_whatever_the_source_has_passed_is_there(server: Redis, shift: int) -> None:
    told, config, target = half_fed(server, 21)
    asked: list[tuple[int, int, int]] = []
    for number in range(PARTITIONS):
        stands = target.position(number)
        lane = MendedLane(target, number, reread_of(told, asked))  # type: ignore[arg-type]
        for chunk in chunks(told, number, stands + shift, number):
            lane.write(chunk)
        if shift > 0:
            assert asked[-1] == (number, stands, stands + shift)
    assert bool(asked) == (shift > 0)
    assert_is(told, config)


def test_what_redis_loses_meanwhile_is_written_again(server: Redis) -> None:
    told, config, target = half_fed(server, 22)
    asked: list[tuple[int, int, int]] = []
    reread = reread_of(told, asked)
    lanes = [MendedLane(target, number, reread) for number in range(PARTITIONS)]  # type: ignore[arg-type]
    for lost in (False, True):
        for number, lane in enumerate(lanes):
            begin = max(0, len(told.records[number]) - 4)
            ways = chunks(told, number, begin if lost else target.position(number), number)
            for chunk in ways:
                if lost and chunk[0].offset == begin:
                    # All of it: what a server loses that comes back empty.
                    wipe(config)
                lane.write(chunk)
                if not lost and chunk[0].offset >= begin - 8:
                    break
    # Each erased what the others had: whoever feeds them finds out with the next record.
    ends = [len(told.records[number]) for number in range(PARTITIONS)]
    told.go_on(10)
    for number, lane in enumerate(lanes):
        for chunk in chunks(told, number, ends[number], number):
            lane.write(chunk)
    assert {begin for _, begin, _ in asked} == {0}
    assert_is(told, config)


def test_what_redis_loses_while_it_catches_up_is_written_again(server: Redis) -> None:
    told, config, target = half_fed(server, 25)
    lost: list[int] = []

    def reread(partition: int, begin: int, until: int) -> Iterable[Sequence[Record]]:
        for count, offset in enumerate(range(begin, until)):
            if count == 2 and partition not in lost:
                lost.append(partition)
                wipe(config)
            yield [record(told, partition, offset)]

    lanes = [MendedLane(target, number, reread) for number in range(PARTITIONS)]
    for number, lane in enumerate(lanes):
        lane.write([record(told, number, len(told.records[number]) - 1)])
    ends = [len(told.records[number]) for number in range(PARTITIONS)]
    told.go_on(10)
    for number, lane in enumerate(lanes):
        for chunk in chunks(told, number, ends[number], number):
            lane.write(chunk)
    assert lost
    assert_is(told, config)


def test_another_feeder_at_work_does_no_harm(server: Redis) -> None:
    told, config, target = half_fed(server, 23)
    asked: list[tuple[int, int, int]] = []
    for number in range(PARTITIONS):
        lanes = [
            MendedLane(target, number, reread_of(told, asked))  # type: ignore[arg-type]
            for _ in range(2)
        ]
        rnd = random.Random(number)  # noqa: S311 - to be repeated
        ways = [iter(chunks(told, number, target.position(number), seed)) for seed in (1, 2)]
        open_ones = [0, 1]
        while open_ones:
            at = rnd.choice(open_ones)
            chunk = next(ways[at], None)
            if chunk is None:
                open_ones.remove(at)
            else:
                lanes[at].write(chunk)
    assert_is(told, config)


def test_what_another_feeder_has_not_written_yet_is_written(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "RECORDS", 5)
    told = Hashed(26)
    told.go_on(100)
    config = settings(server)
    target = target_of(config)
    for number in range(PARTITIONS):
        lane = MendedLane(target, number, reread_of(told, []))  # type: ignore[arg-type]
        # It is further than the first batch, and then no more.
        target.write(batch_of(told, target, number, 0, 12), 0)
        lane.write([record(told, number, at) for at in range(len(told.records[number]))])
    assert_is(told, config)


def test_what_the_topic_has_lost_is_said(server: Redis) -> None:
    told, _, target = half_fed(server, 24)

    def reread(partition: int, begin: int, until: int) -> Iterable[Sequence[Record]]:
        message = f"{TOPIC}/{partition}: Redis has read up to offset {begin}, not to {until}"
        raise FeedError(message)

    lane = MendedLane(target, 0, reread)
    with pytest.raises(FeedError, match=r"headgate\.history/0: Redis has read up to offset"):
        lane.write([record(told, 0, len(told.records[0]) - 1)])
