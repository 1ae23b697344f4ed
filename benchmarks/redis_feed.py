"""Redis: a million updates of 10,000 agents, fed in while feeder and server are killed, compared
with the history; the same undisturbed; plain XADD without any guarantee as the limit; and how long
it takes from the broker to Redis at a steady rate.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.redis_history import INSTANCES, PARTITIONS, UPDATES, WrittenHistory
from benchmarks.redis_lag import from_journal, lag_row, reading_lag
from benchmarks.stand import to_toml
from headgate.config import Config
from headgate.config.kafka import KafkaConfig
from headgate.config.redis import RedisConfig
from headgate.kafka.topics import ensure_topics
from headgate.local.command_service import CommandService
from headgate.local.jars import fetch
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.local.redis import Redis
from headgate.local.supervisor import Supervisor

KILL_SECONDS = 3.0
LEVEL_SECONDS = 600.0
LAG_RATE, LAG_SECONDS = 1_000, 20
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
            kafka=KafkaConfig(bootstrap=kafka.bootstrap.servers, partitions=PARTITIONS),
            redis=RedisConfig(keep_entries=UPDATES, past=timedelta(seconds=1)),
        )
        ensure_topics(config)
        bench = _Bench(family, supervisor, home, config)
        options.say(f"writing {UPDATES:,} turns of {INSTANCES:,} instances into the history")
        bench.history.write()
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
    return [*rows, from_journal(options)]


class _Bench:
    def __init__(self, family: Family, supervisor: Supervisor, home: Path, config: Config) -> None:
        self._family, self._supervisor = family, supervisor
        self._home, self._config = home, config
        self._file = home / "headgate.toml"
        self._file.write_text(to_toml(config), encoding="utf-8")
        self.history = WrittenHistory(config)

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
            feeder = CommandService(
                self._family, self._supervisor, self._home / name, "redis", "feed"
            )
            began = time.monotonic()
            feeder.start(self._config.kafka.bootstrap, self._file, "--url", server.url)
            struck = 0
            spent = {"feeder": 0.0, "redis": 0.0}
            next_kill = began + KILL_SECONDS
            while not self.history.is_level(server.url):
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
            self.history.compare(server.url)
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
            feeder = CommandService(
                self._family, self._supervisor, self._home / "lag", "redis", "feed"
            )
            feeder.start(self._config.kafka.bootstrap, self._file, "--url", server.url)
            with reading_lag(server.url, took):
                began = time.monotonic()
                for number in range(LAG_RATE * LAG_SECONDS):
                    due = began + number / LAG_RATE
                    time.sleep(max(0.0, due - time.monotonic()))
                    self.history.update()
                self.history.flush()
                while not self.history.is_level(server.url):
                    time.sleep(0.1)
            feeder.stop()
        return lag_row(f"from Kafka, {LAG_RATE}/s", took)
