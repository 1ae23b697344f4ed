"""What Redis holds against a plain fold of the same history: hashes, streams, and any moment."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from pydantic import ValidationError

from headgate.config.redis import RedisConfig
from headgate.core import render
from headgate.core.identity import partition_of
from headgate.core.parking import parking_of
from headgate.local.redis import Redis
from headgate.redis.batch import BYTES, RECORDS, Batch, Record, batches
from headgate.redis.connect import open_redis, reaching
from headgate.redis.errors import FeedError, RedisUnreachableError
from headgate.redis.keys import PartitionKeys
from headgate.redis.seen import Seen
from headgate.redis.target import Target
from headgate.sdk.testing import Stored
from headgate.testing.folding import stored_of
from headgate.v1.turn_pb2 import Controlled, HistoryRecord
from headgate.view import NotYetError, PastError, View
from tests.redis_server import settings
from tests.unit.history.telling import PARTITIONS, START_US, Telling

TOPIC = "headgate.history"

KILLS = 4
"""Of one test: whoever dies again at once is started again ever later."""


class Hashed(Telling):
    """Instances are where a view looks for them."""

    def place_of(self, key: str) -> int:
        return partition_of(f"thing/{key}".encode(), PARTITIONS)


def target_of(config: RedisConfig) -> Target:
    made = Target(open_redis(config.url, cluster=config.cluster), config, TOPIC, PARTITIONS)
    made.claim()
    return made


def batch_of(told: Telling, target: Target, partition: int, begin: int, end: int) -> Batch:
    made = Batch(target.keys[partition])
    for offset, record in enumerate(told.records[partition][begin:end], begin):
        made.add(Record(offset, record.SerializeToString()))
    return made


def feed_all(config: RedisConfig, told: Telling, seed: int, server: Redis | None = None) -> None:
    """Write what Redis has not, in batches of any size, by writers that know nothing at first; with
    a server, it is killed now and then, and some of the writers do not see the answer.
    """
    rnd = random.Random(seed)  # noqa: S311 - to be repeated
    kills = 0
    while True:
        try:
            target = target_of(config)
            for _ in range(rnd.randrange(1, 8)):
                stands = [target.position(number) for number in range(PARTITIONS)]
                open_ones = [n for n in range(PARTITIONS) if stands[n] < len(told.records[n])]
                if not open_ones:
                    return
                number = rnd.choice(open_ones)
                begin = stands[number]
                batch = batch_of(told, target, number, begin, begin + rnd.randrange(1, 20))
                if server is not None and rnd.random() < 0.1 and kills < KILLS:
                    kills += 1
                    server.kill()
                assert target.write(batch, begin) == batch.next_offset
                # Whoever did not see the answer comes again.
                assert target.write(batch, begin) == batch.next_offset
        except redis.RedisError:
            assert server is not None
            server.await_serving()


def stored(seen: Seen) -> Stored:
    return Stored(dict(seen.values), {name: tuple(items) for name, items in seen.lists.items()})


def without_empty(expected: Stored) -> Stored:
    return Stored(dict(expected.values), {n: items for n, items in expected.logs.items() if items})


def entries_of(config: RedisConfig, name: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Entries of all partitions; within one in their order."""
    found: list[tuple[bytes, dict[bytes, bytes]]] = []
    client = open_redis(config.url, cluster=config.cluster)
    for number in range(PARTITIONS):
        key = getattr(PartitionKeys(config.prefix, number), name)
        found += client.xrange(key)
    client.close()
    return found


def folded(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> dict[str, Stored]:
    """What somebody makes of the stream of changes who has nothing else."""
    values: dict[str, dict[str, bytes]] = {}
    lists: dict[str, dict[str, list[bytes]]] = {}
    for _, fields in entries:
        address = fields[b"address"].decode()
        ours, logs = values.setdefault(address, {}), lists.setdefault(address, {})
        for field, raw in fields.items():
            _, kind, name = [*field.decode().split(":", 2), "", ""][:3]
            if kind == "set":
                ours[name] = raw
            elif kind == "append":
                logs.setdefault(name, []).append(raw)
            elif kind == "delete":
                ours.pop(name, None)
                logs.pop(name, None)
            elif kind == "forget":
                ours.clear()
                logs.clear()
    return {
        address: Stored(ours, {name: tuple(items) for name, items in lists[address].items()})
        for address, ours in values.items()
    }


async def all_seen(config: RedisConfig, **asked: Any) -> dict[str, Seen]:
    async with View(config.url, prefix=config.prefix, cluster=config.cluster) as view:
        return {seen.address: seen async for seen in view.snapshot(**asked)}


def moment(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


@pytest.mark.parametrize("seed", range(3))
def test_streams_and_hashes_are_the_history(server: Redis, seed: int) -> None:
    told = Hashed(seed)
    told.go_on(200)
    config = settings(server, past="3650d")
    feed_all(config, told, seed)
    assert_is(told, config)
    rnd = random.Random(seed)  # noqa: S311 - to be repeated
    moments = [turn.at_us - rnd.randrange(2) for turn in told.turns[::5]]
    for at_us in [START_US, *moments, told.turns[-1].at_us]:
        found = asyncio.run(all_seen(config, as_of=moment(at_us)))
        expected = {name: without_empty(each) for name, each in told.at(at_us).items()}
        assert {name: stored(seen) for name, seen in found.items()} == expected


def assert_is(told: Telling, config: RedisConfig) -> None:
    expected = {n: without_empty(each) for n, each in told.at(told.turns[-1].at_us).items()}
    found = asyncio.run(all_seen(config))
    assert {address: stored(seen) for address, seen in found.items()} == expected
    for address, seen in found.items():
        told_of = list_of(told, address)
        assert (seen.turn, seen.at_us) == (told_of[-1].outcome.turn, told_of[-1].at_us)
        assert seen.is_parked == is_parked(told_of)
        assert not seen.is_incomplete
    assert_hashes(config, found)
    changes = entries_of(config, "changes")
    turns: dict[str, list[int]] = {}
    for _, fields in changes:
        turns.setdefault(fields[b"address"].decode(), []).append(int(fields[b"turn"]))
    counts = {address: len(list_of(told, address)) for address in expected}
    assert turns == {address: [*range(1, count + 1)] for address, count in counts.items()}
    assert {a: without_empty(each) for a, each in folded(changes).items()} == expected
    outputs = [fields[b"event"] for _, fields in entries_of(config, "outputs")]
    assert outputs == [
        event
        for number in range(PARTITIONS)
        for record in told.records[number]
        if not record.HasField("closed")
        for event in rendered(record)
    ]


def is_parked(turns: list[HistoryRecord]) -> bool:
    parked = False
    for turn in turns:
        said = parking_of(turn.outcome, turn=turn.outcome.turn, at_us=turn.at_us)
        parked = parked if said is None else bool(said)
    return parked


def assert_hashes(config: RedisConfig, found: dict[str, Seen]) -> None:
    """Nothing is left in a hash of what is gone from a state."""
    client = open_redis(config.url, cluster=config.cluster)
    for address, seen in found.items():
        keys = PartitionKeys(config.prefix, partition_of(address.encode(), PARTITIONS))
        fields = {name.decode() for name in client.hkeys(keys.state(address))}
        wanted = {f"={name}" for name in seen.values} | {f"#{name}" for name in seen.lists}
        for name, items in seen.lists.items():
            wanted |= {f"@{name}/{at}" for at in range(len(items))}
        assert {field for field in fields if field[0] in "=#@"} == wanted
    client.close()


def list_of(told: Telling, address: str) -> list[HistoryRecord]:
    return [turn for turn in told.turns if f"thing/{turn.outcome.key}" == address]


def rendered(record: HistoryRecord) -> list[bytes]:
    outcome = record.outcome
    return render.outputs(f"thing/{outcome.key}", outcome.turn, record.at_us, outcome)


def test_killed_again_and_again_it_has_each_turn_once(server: Redis) -> None:
    told = Hashed(11, instances=20)
    told.go_on(400)
    config = settings(server)
    before = server.pid
    feed_all(config, told, 11, server)
    assert server.pid != before
    assert_is(told, config)


def test_turns_that_a_restored_job_writes_again_change_nothing(server: Redis) -> None:
    told = Hashed(3)
    told.go_on(60)
    again = {number: list(records) for number, records in told.records.items()}
    told.go_on(40)
    config = settings(server)
    feed_all(config, told, 3)
    plain = entries_of(config, "changes")
    for number, records in again.items():
        told.records[number] += records
    feed_all(config, told, 4)
    assert entries_of(config, "changes") == plain
    for address, seen in asyncio.run(all_seen(config)).items():
        assert stored(seen) == without_empty(stored_of(list_of(told, address)))


def test_a_writer_that_is_behind_or_ahead_changes_nothing(server: Redis) -> None:
    told = Hashed(6, instances=1)
    told.go_on(30)
    config = settings(server)
    target = target_of(config)
    number = next(n for n in range(PARTITIONS) if len(told.records[n]) > 1)
    assert target.write(batch_of(told, target, number, 0, 20), 0) == 20
    # One that believes in more than there is would leave a hole; a late one would turn it back.
    for begin, end in ((25, 30), (5, 10), (0, 20)):
        assert target.write(batch_of(told, target, number, begin, end), begin) == 20
        assert target.position(number) == 20
    assert target.write(batch_of(told, target, number, 20, 40), 20) == len(told.records[number])
    feed_all(config, told, 6)
    assert_is(told, config)


def test_another_topics_history_is_refused(server: Redis) -> None:
    config = settings(server)
    target_of(config)
    with pytest.raises(FeedError, match=r"holds a history whose topic is headgate\.history"):
        Target(open_redis(config.url), config, "other.history", PARTITIONS).claim()


def test_keys_that_are_in_the_way_are_said_and_nothing_is_half_written(server: Redis) -> None:
    told = Hashed(8, instances=1)
    told.go_on(20)
    number = next(n for n in range(PARTITIONS) if len(told.records[n]) > 1)
    for name in ("changes", "outputs", "past", "marks", "instances"):
        config = settings(server)
        target = target_of(config)
        with redis.Redis.from_url(config.url) as client:
            client.set(getattr(target.keys[number], name), "somebody's")
            with pytest.raises(FeedError, match=r"not of this history alone .*WRONGTYPE"):
                target.write(batch_of(told, target, number, 0, 20), 0)
            assert target.position(number) == 0
            client.delete(getattr(target.keys[number], name))
        feed_all(config, told, 8)
        assert_is(told, config)
    with redis.Redis.from_url(config.url) as client:
        # Its hash is gone, its entries are not: evicted, say.
        client.delete(target.keys[number].state("thing/0"), target.keys[number].position)
        with pytest.raises(FeedError, match="headgate redis reset"):
            target.write(batch_of(told, target, number, 0, 20), 0)


def test_it_is_empty_after_a_reset(server: Redis) -> None:
    told = Hashed(5)
    told.go_on(50)
    config = settings(server)
    feed_all(config, told, 5)
    target_of(config).erase()
    with redis.Redis.from_url(config.url) as client:
        assert client.keys(f"*{config.prefix}*") == []


def test_a_view_waits_for_a_turn_and_never_goes_back(server: Redis) -> None:
    told = Hashed(7, instances=1)
    told.go_on(10)
    config = settings(server)
    target = target_of(config)
    feed_all(config, told, 7)
    number = next(n for n in range(PARTITIONS) if len(told.records[n]) > 1)
    begin = len(told.records[number])
    told.go_on(5)

    async def read() -> None:
        async with View(config.url, prefix=config.prefix) as view:
            assert (await view.get("thing/0")).turn == 10
            with pytest.raises(NotYetError, match="is at turn 10 in Redis, turn 15 did not"):
                await view.get("thing/0", at_least=15, wait_seconds=0.05)
            waiting = asyncio.create_task(view.get("thing/0", at_least=15))
            await asyncio.sleep(0)
            batch = batch_of(told, target, number, begin, begin + 6)
            await asyncio.to_thread(target.write, batch, begin)
            assert (await waiting).turn == 15
            # A server that has lost what it had, or a replica that is behind.
            target.erase()
            target.claim()
            with pytest.raises(NotYetError, match="is at turn 0 in Redis, turn 15"):
                await view.get("thing/0", wait_seconds=0.05)

    asyncio.run(read())


def test_a_moment_that_is_open_or_too_long_ago_is_refused(server: Redis) -> None:
    told = Hashed(9)
    told.go_on(40)
    config = settings(server, past="1s")
    feed_all(config, told, 9)
    told.go_on(40)
    feed_all(config, told, 9)
    newest = told.turns[-1].at_us
    with pytest.raises(PastError, match="not closed yet"):
        asyncio.run(all_seen(config, as_of=moment(newest + 1), wait_seconds=0.01))
    with pytest.raises(PastError, match=r"redis\.past says how far back"):
        asyncio.run(all_seen(config, as_of=moment(START_US)))
    with pytest.raises(PastError, match="no time zone"):
        asyncio.run(all_seen(config, as_of=datetime(2026, 1, 1)))  # noqa: DTZ001
    assert asyncio.run(all_seen(config, as_of=moment(newest)))


def test_what_is_being_removed_is_not_written(server: Redis) -> None:
    told = Hashed(12)
    told.go_on(50)
    config = settings(server)
    target = target_of(config)
    batch = batch_of(told, target, 0, 0, 20)
    with redis.Redis.from_url(config.url) as client:
        client.hset(target.keys[0].position, "next_offset", -1)
        with pytest.raises(FeedError, match="is being emptied"):
            target.write(batch, 0)
        assert client.hgetall(target.keys[0].position) == {b"next_offset": b"-1"}


def test_before_a_moment_is_closed_there_is_no_snapshot(server: Redis) -> None:
    config = settings(server)
    target_of(config)
    with pytest.raises(PastError, match="the first moment is not closed yet"):
        asyncio.run(all_seen(config, wait_seconds=0.01))


def test_turns_that_run_ahead_of_the_closed_moment_keep_their_past(server: Redis) -> None:
    told = Hashed(13, instances=1)
    told.go_on(30)
    config = settings(server, past="2s")
    number = next(n for n in range(PARTITIONS) if len(told.records[n]) > 1)
    # As of just before the last turn of these, which were a minute ahead of what was closed.
    last = told.turns[-1].at_us
    for records in told.records.values():
        records[-1].closed.until_us = last - 60_000_000
    told.go_on(3)
    for records in told.records.values():
        records[-1].closed.until_us = last + 1_000_000
    feed_all(config, told, 13)
    assert target_of(config).position(number) == len(told.records[number])
    found = asyncio.run(all_seen(config, as_of=moment(last - 1)))["thing/0"]
    assert stored(found) == without_empty(told.at(last - 1)["thing/0"])


def test_a_url_that_is_none_is_said() -> None:
    for url in ("redis://[::1", "http://localhost", "redis://localhost:port"):
        with pytest.raises(RedisUnreachableError, match="cannot be used"):
            View(url)
        with pytest.raises(RedisUnreachableError, match="cannot be used"):
            open_redis(url)


def test_what_redis_says_comes_with_what_to_do(server: Redis) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+ping")
    host = server.url.removeprefix("redis://")
    with pytest.raises(RedisUnreachableError, match="Correct user and password"):
        open_redis(f"redis://reader:wrong@{host}")
    config = settings(server, url=f"redis://reader:secret@{host}")
    with (
        pytest.raises(RedisUnreachableError, match="give it the rights") as caught,
        reaching(config.url),
    ):
        target_of(config)
    assert "secret" not in str(caught.value)
    config = settings(server)
    with redis.Redis.from_url(server.url) as client:
        target_of(config)
        keys = PartitionKeys(config.prefix, partition_of(b"thing/0", PARTITIONS))
        client.hset(keys.state("thing/0"), "turn", "x")
    with pytest.raises(FeedError, match="thing/0 was written by somebody else"):
        asyncio.run(one_seen(config, "thing/0"))


async def one_seen(config: RedisConfig, address: str) -> Seen:
    async with View(config.url, prefix=config.prefix) as view:
        return await view.get(address)


@pytest.mark.parametrize(
    "url",
    ["redis://[::1", "redis://localhost:abc", "redis://", "http://localhost:1", "redis://a/b"],
)
def test_an_address_that_is_none_is_refused_in_the_configuration(url: str) -> None:
    with pytest.raises(ValidationError, match="must be redis://HOST:PORT/NUMBER"):
        RedisConfig(url=url)
    for good in (
        "redis://[::1]:6379/0",
        "rediss://me:pw@cache:6380",
        "unix:///run/redis.sock?db=1",
    ):
        assert RedisConfig(url=good).url == good


def test_many_instances_of_several_types_are_read_in_pages(server: Redis) -> None:
    """More instances than one page of a view has, and more of the past."""
    config = settings(server, past="1h")
    target = target_of(config)
    count, moved_us = 700, START_US + 1_000_000
    made: dict[int, list[HistoryRecord]] = {number: [] for number in range(PARTITIONS)}

    def turn(agent_type: str, key: int, number: int, at_us: int) -> None:
        record = HistoryRecord(at_us=at_us)
        outcome = record.outcome
        outcome.agent_type, outcome.key, outcome.turn = agent_type, str(key), number
        outcome.completed.SetInParent()
        outcome.mutations.add(name="turn", set=b"%d" % number)
        made[partition_of(f"{agent_type}/{key}".encode(), PARTITIONS)].append(record)

    for agent_type in ("thin", "thing", "thing-2"):
        for key in range(count):
            turn(agent_type, key, 1, START_US + key)
    # More than a thousand in each partition.
    for round_ in range(2, 8):
        for key in range(count):
            turn("thing", key, round_, moved_us + round_ * count + key)
    for number, records in made.items():
        closed = HistoryRecord()
        closed.closed.partition = number
        closed.closed.until_us = moved_us + 10 * count
        batch = Batch(target.keys[number])
        for offset, record in enumerate([*records, closed]):
            batch.add(Record(offset, record.SerializeToString()))
        target.write(batch, 0)

    def turns(**asked: Any) -> dict[str, int]:
        found = asyncio.run(all_seen(config, **asked))
        return {address: seen.value("turn") for address, seen in found.items()}

    expected = {f"thing/{key}": 1 for key in range(count)}
    assert turns(agent_type="thing", as_of=moment(moved_us)) == expected
    assert turns(agent_type="thing") == dict.fromkeys(expected, 7)
    assert len(turns()) == 3 * count
    target.erase()
    with redis.Redis.from_url(config.url) as client:
        assert client.keys(f"*{config.prefix}/*") == []


def test_it_is_closed_when_it_is_in_all_partitions(server: Redis) -> None:
    told = Hashed(14)
    told.go_on(30)
    config = settings(server)
    for ahead, records in told.records.items():
        records[-1].closed.until_us += ahead * 1_000_000
    feed_all(config, told, 14)

    async def closed() -> datetime:
        async with View(config.url, prefix=config.prefix) as view:
            return await view.closed()

    assert asyncio.run(closed()) == moment(told.turns[-1].at_us)


def test_a_position_that_is_gone_is_found_again_without_a_loss(server: Redis) -> None:
    told = Hashed(15)
    told.go_on(60)
    config = settings(server, keep="1s", past="1h")
    feed_all(config, told, 15)
    kept = entries_of(config, "changes")
    with redis.Redis.from_url(config.url) as client:
        for number in range(PARTITIONS):
            client.delete(PartitionKeys(config.prefix, number).position)
    feed_all(config, told, 16)
    assert entries_of(config, "changes") == kept


def test_what_an_entry_says_of_its_turn(server: Redis) -> None:
    config = settings(server)
    target = target_of(config)
    records = [HistoryRecord(at_us=START_US + number) for number in range(4)]
    for number, record in enumerate(records):
        outcome = record.outcome
        outcome.agent_type, outcome.key, outcome.turn = "thing", "0", number + 2
        outcome.revision = f"v{number}"
    records[0].outcome.completed.SetInParent()
    records[0].outcome.taken.add(id="e1")
    records[0].outcome.traceparent = "00-1-2-01"
    records[1].outcome.failed.message, records[1].outcome.failed.park = "no", True
    records[2].outcome.controlled.verb = Controlled.RESUME
    records[3].outcome.completed.SetInParent()
    batch = Batch(target.keys[0])
    for offset, each in enumerate([b"garbage", *(each.SerializeToString() for each in records)]):
        batch.add(Record(offset, each))
    [fault] = batch.skipped
    assert fault.startswith("offset 0: it is no HistoryRecord")
    assert target.write(batch, 0) == 5
    with redis.Redis.from_url(config.url) as client:
        said = [fields for _, fields in client.xrange(target.keys[0].changes)]
        state = client.hgetall(target.keys[0].state("thing/0"))
    assert [fields[b"revision"] for fields in said] == [b"v0", b"v1", b"v2", b"v3"]
    assert (said[0][b"events"], said[0][b"traceparent"]) == (b'["e1"]', b"00-1-2-01")
    assert (said[1][b"failed"], said[2][b"controlled"]) == (b"no", b"resume")
    assert b"1:parked:" not in said[1] and b"0:parked:" in said[1] and b"0:goes_on:" in said[2]
    # Its first turn is not in the topic.
    assert (state[b"incomplete"], state[b"turn"]) == (b"1", b"5")
    assert b"parked" not in state


def test_batches_hold_redis_up_for_a_moment_only() -> None:
    small = [Record(offset, b"") for offset in range(3 * RECORDS + 7)]
    made = batches(PartitionKeys("p", 0), small)
    assert [each.next_offset for each in made] == [RECORDS, 2 * RECORDS, 3 * RECORDS, len(small)]
    large = [Record(offset, bytes(BYTES // 2)) for offset in range(5)]
    assert [each.next_offset for each in batches(PartitionKeys("p", 0), large)] == [2, 4, 5]


def test_another_number_of_partitions_is_refused(server: Redis) -> None:
    config = settings(server)
    target_of(config)
    with pytest.raises(FeedError, match="whose partitions is 3, not 4"):
        Target(open_redis(config.url), config, TOPIC, PARTITIONS + 1).claim()


def test_nothing_fed_is_said(server: Redis) -> None:
    config = settings(server)
    with pytest.raises(FeedError, match="nothing was ever fed"):
        asyncio.run(all_seen(config))


def test_a_turn_of_many_changes_is_whole(server: Redis) -> None:
    told = Hashed(1, instances=1)
    record = HistoryRecord(at_us=START_US)
    record.outcome.agent_type, record.outcome.key, record.outcome.turn = "thing", "0", 1
    for number in range(9_000):
        record.outcome.mutations.add(name="long", append=b"%d" % number)
    record.outcome.completed.SetInParent()
    gone = HistoryRecord(at_us=START_US + 1)
    gone.outcome.agent_type, gone.outcome.key, gone.outcome.turn = "thing", "0", 2
    gone.outcome.mutations.add(name="long", delete=True)
    told.turns += [record, gone]
    for records in told.records.values():
        records += [record, gone]
    for number, records in told.records.items():
        closed = HistoryRecord()
        closed.closed.partition, closed.closed.until_us = number, START_US + 1
        records.append(closed)
    config = settings(server, past="3650d")
    feed_all(config, told, 1)
    long = asyncio.run(all_seen(config, as_of=moment(START_US)))["thing/0"]
    assert long.items("long") == [*range(9_000)]
    assert not asyncio.run(all_seen(config))["thing/0"].lists


def test_streams_are_trimmed_by_number_and_by_time(server: Redis) -> None:
    told = Hashed(2)
    for _ in range(12):
        told.go_on(100)
    by_number, by_time = settings(server, keep_entries=50), settings(server, keep="60s")
    for config in (by_number, by_time):
        feed_all(config, told, 2)
    # Redis removes whole blocks of a hundred.
    for name in ("changes", "outputs", "past"):
        assert len(entries_of(by_number, name)) < PARTITIONS * 200
    closed = told.turns[-1].at_us - 60_000_000
    kept = [int(fields[b"at_us"]) for _, fields in entries_of(by_time, "changes")]
    newer = [turn.at_us for turn in told.turns if turn.at_us > closed]
    assert set(newer) <= set(kept)
    assert len(kept) < len(told.turns)
    with redis.Redis.from_url(by_number.url) as client:
        marks = client.zcard(PartitionKeys(by_number.prefix, 0).marks)
    assert marks < 12
