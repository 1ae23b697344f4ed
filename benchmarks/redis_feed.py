"""Redis: a million updates of 10,000 agents, fed in while feeder and server are killed, compared
with the history; the same undisturbed; plain XADD without any guarantee as the limit; and how long
it takes from the broker to Redis at a steady rate.
"""

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import redis

from benchmarks.cpu import cpu_seconds
from benchmarks.ladder import plan
from benchmarks.measure import Result, open_loop, warm_up
from benchmarks.options import Options
from benchmarks.stand import Stand, to_toml
from headgate.config import Config
from headgate.config.model import KafkaConfig
from headgate.config.redis import RedisConfig
from headgate.core.identity import key_in, partition_of
from headgate.kafka.connect import open_producer
from headgate.kafka.topics import ensure_topics
from headgate.local.jars import fetch
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.local.redis import Redis
from headgate.local.redis_services import RedisService
from headgate.local.supervisor import Supervisor
from headgate.redis.keys import PartitionKeys
from headgate.v1.turn_pb2 import HistoryRecord

INSTANCES, UPDATES = 10_000, 1_000_000
PARTITIONS = 4
KILL_SECONDS = 3.0
LEVEL_SECONDS = 600.0
LAG_RATE, LAG_SECONDS = 1_000, 20
JOB_RATE, JOB_KEYS = 200.0, 5_000
PIPELINE = 500


def run(options: Options) -> list[Result]:
    """Write the history once, feed it twice, and XADD as much without any guarantee."""
    home = options.home / "redis"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with Family() as family:
        supervisor = Supervisor(family)
        kafka = Kafka(family, home / "kafka", fetch() / "kafka")
        kafka.start()
        config = Config(
            kafka=KafkaConfig(bootstrap=kafka.bootstrap, partitions=PARTITIONS),
            redis=RedisConfig(keep_entries=UPDATES, past=timedelta(seconds=1)),
        )
        ensure_topics(config)
        bench = _Bench(family, supervisor, home, config)
        options.say(f"writing {UPDATES:,} turns of {INSTANCES:,} instances into the history")
        bench.write()
        rows = []
        options.say("feeding them")
        rows.append(bench.fed("fed", kills=False))
        options.say("as many with plain XADD")
        rows.append(bench.plain())
        options.say("feeding them while feeder and Redis are killed in turn")
        rows.append(bench.fed("fed, killed", kills=True))
        options.say(f"feeding {LAG_RATE:,}/s for {LAG_SECONDS} s")
        rows.append(bench.lag())
        supervisor.stop()
        kafka.stop()
    return [*rows, _from_journal(options)]


def _from_journal(options: Options) -> Result:
    """From the time at which a turn happened to its entry, on the job: with the checkpoint that
    commits it.
    """
    took: list[float] = []
    with Stand(options.home, 1, options.say) as stand:
        server = stand.stack.start_redis()
        with stand.job(plan("redis-lag", JOB_RATE)) as job:
            stand.stack.start_redis_service("feed", stand.stack.home / "redis-lag.toml")
            warm_up(stand, job, JOB_RATE, options.warm_up_seconds / 2, JOB_KEYS)
            with _reading_lag(server.url, took):
                options.say(f"a job at {JOB_RATE:.0f} events/s for {options.seconds:.0f} s")
                open_loop(stand, job, JOB_RATE, options.seconds, JOB_KEYS)
    return _lag(f"from the journal, {JOB_RATE:.0f}/s", took)


def _lag(what: str, took: list[float]) -> Result:
    took.sort()
    return {
        "what": what,
        "updates": len(took),
        "lag_ms_p50": took[len(took) // 2],
        "lag_ms_p99": took[len(took) * 99 // 100],
        "load_average": os.getloadavg()[0],
    }


class _Bench:
    def __init__(self, family: Family, supervisor: Supervisor, home: Path, config: Config) -> None:
        self._family, self._supervisor = family, supervisor
        self._home, self._config = home, config
        self._file = home / "headgate.toml"
        self._file.write_text(to_toml(config), encoding="utf-8")
        self._turns: dict[str, int] = {}
        self._ends: dict[int, int] = {}
        self._producer = open_producer(config.kafka.bootstrap, delivery_seconds=60, linger_ms=20)

    def write(self) -> None:
        chance = random.Random(1)
        for number in range(UPDATES):
            self._update(f"order/customer-{chance.randrange(INSTANCES)}")
            if number % 100_000 == 0:
                self._close()
        self._close()
        self._producer.flush()

    def _update(self, address: str) -> None:
        self._turns[address] = turn = self._turns.get(address, 0) + 1
        record = HistoryRecord(at_us=time.time_ns() // 1_000)
        outcome = record.outcome
        outcome.agent_type, _, outcome.key = address.partition("/")
        outcome.turn = turn
        outcome.completed.SetInParent()
        outcome.mutations.add(name="status", set=b'"step %d"' % turn)
        self._send(partition_of(address.encode(), PARTITIONS), address.encode(), record)

    def _close(self) -> None:
        for number in range(PARTITIONS):
            record = HistoryRecord()
            record.closed.partition = number
            record.closed.until_us = time.time_ns() // 1_000
            self._send(number, key_in(number, PARTITIONS), record)

    def _send(self, partition: int, key: bytes, record: HistoryRecord) -> None:
        self._ends[partition] = self._ends.get(partition, 0) + 1
        self._producer.send(
            self._config.topic_names.history,
            key=key,
            value=record.SerializeToString(),
            partition=partition,
        )

    @contextmanager
    def _serving(self, name: str) -> Iterator[Redis]:
        server = Redis(self._family, self._supervisor, self._home / name, flush="everysec")
        server.launch()
        server.await_serving()
        try:
            yield server
        finally:
            server.stop()

    def fed(self, name: str, *, kills: bool) -> Result:
        """Feed all of it; the result is compared with the history."""
        with self._serving(name.replace(", ", "-")) as server:
            feeder = RedisService(self._family, self._supervisor, self._home / name, "feed")
            began = time.monotonic()
            feeder.start(self._config.kafka.bootstrap, self._file, server.url)
            struck = 0
            spent = {"feeder": 0.0, "redis": 0.0}
            next_kill = began + KILL_SECONDS
            while not self._is_level(server.url):
                if time.monotonic() - began > LEVEL_SECONDS:
                    message = "the feeder did not come through"
                    raise AssertionError(message)
                now = {"feeder": feeder.pid, "redis": server.pid}
                spent |= {n: cpu_seconds(pid) for n, pid in now.items() if pid and not kills}
                if kills and time.monotonic() > next_kill:
                    struck += 1
                    (server if struck % 2 else feeder).kill()
                    next_kill = time.monotonic() + KILL_SECONDS
                time.sleep(0.1)
            took = time.monotonic() - began
            feeder.stop()
            self._compare(server.url)
        row = {
            "what": name,
            "updates": UPDATES,
            "instances": INSTANCES,
            "updates_per_second": UPDATES / took,
            "load_average": os.getloadavg()[0],
        }
        if kills:
            return {**row, "kills": struck}
        cpu = {f"{n}_cpu_ms_per_update": s * 1000 / UPDATES for n, s in spent.items()}
        return {**row, **cpu}

    def _is_level(self, url: str) -> bool:
        try:
            with redis.Redis.from_url(url) as client:
                return all(
                    int(client.hget(_keys(number).position, "next_offset") or 0) >= end
                    for number, end in self._ends.items()
                )
        except redis.RedisError:
            return False

    def _compare(self, url: str) -> None:
        """Hashes and streams are those of the history."""
        with redis.Redis.from_url(url) as client:
            pipeline = client.pipeline(transaction=False)
            for address in self._turns:
                number = partition_of(address.encode(), PARTITIONS)
                pipeline.hmget(_keys(number).state(address), "turn", "=status")
            for (address, turn), found in zip(self._turns.items(), pipeline.execute(), strict=True):
                if found != [b"%d" % turn, b'"step %d"' % turn]:
                    message = f"{address} is {found}, not at turn {turn}"
                    raise AssertionError(message)
            seen: dict[bytes, int] = {}
            for number in range(PARTITIONS):
                for fields in _entries(client, _keys(number).changes):
                    name, turn = fields[b"address"], int(fields[b"turn"])
                    if turn != seen.get(name, 0) + 1:
                        message = f"{name!r}: turn {turn} after {seen.get(name, 0)}"
                        raise AssertionError(message)
                    seen[name] = turn
            if {name.decode(): turn for name, turn in seen.items()} != self._turns:
                message = "the streams are not the history"
                raise AssertionError(message)

    def plain(self) -> Result:
        """As many XADDs, in pipelines of one client, of the same fields."""
        with self._serving("plain") as server:
            script = Path(__file__).with_name("redis_plain.py")
            command = [sys.executable, str(script), server.url, str(UPDATES), str(PIPELINE)]
            began = time.monotonic()
            with subprocess.Popen(command, cwd=self._home) as process:
                spent = {"feeder": 0.0, "redis": 0.0}
                while process.poll() is None:
                    now = {"feeder": process.pid, "redis": server.pid}
                    spent |= {n: s for n, pid in now.items() if pid and (s := cpu_seconds(pid))}
                    time.sleep(0.1)
            took = time.monotonic() - began
        return {
            "what": "plain XADD",
            "updates": UPDATES,
            "updates_per_second": UPDATES / took,
            **{f"{n}_cpu_ms_per_update": s * 1000 / UPDATES for n, s in spent.items()},
            "load_average": os.getloadavg()[0],
        }

    def lag(self) -> Result:
        """From the time at which a record is handed to Kafka to its entry, at a steady rate."""
        took: list[float] = []
        with self._serving("fed") as server:
            feeder = RedisService(self._family, self._supervisor, self._home / "lag", "feed")
            feeder.start(self._config.kafka.bootstrap, self._file, server.url)
            with _reading_lag(server.url, took):
                chance = random.Random(3)
                began = time.monotonic()
                for number in range(LAG_RATE * LAG_SECONDS):
                    due = began + number / LAG_RATE
                    time.sleep(max(0.0, due - time.monotonic()))
                    self._update(f"order/customer-{chance.randrange(INSTANCES)}")
                self._producer.flush()
                while not self._is_level(server.url):
                    time.sleep(0.1)
            feeder.stop()
        return _lag(f"from Kafka, {LAG_RATE}/s", took)


@contextmanager
def _reading_lag(url: str, took: list[float]) -> Iterator[None]:
    ended = threading.Event()
    reader = threading.Thread(target=_read_lag, args=(url, took, ended))
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()


def _read_lag(url: str, took: list[float], ended: threading.Event) -> None:
    with redis.Redis.from_url(url) as client:
        after: dict[Any, Any] = {_keys(number).changes: "$" for number in range(PARTITIONS)}
        while not ended.is_set():
            for name, entries in client.xread(after, block=100) or ():
                now_us = time.time_ns() // 1_000
                took += [(now_us - int(fields[b"at_us"])) / 1_000 for _, fields in entries]
                after[name.decode()] = entries[-1][0]


def _entries(client: Any, stream: str) -> Iterator[dict[bytes, bytes]]:
    after = b"-"
    while found := client.xrange(stream, min=after, count=5_000):
        for _, fields in found:
            yield fields
        after = b"(" + found[-1][0]


def _keys(number: int) -> PartitionKeys:
    return PartitionKeys("headgate", number)
