"""The history store: how fast it is written, an as-of read of one instance among a million changes,
a snapshot of 100,000 instances. Asked over gRPC, of the service as one starts it; no Kafka runs.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import spread
from benchmarks.measure import Result
from benchmarks.options import Options
from headgate.history.client import HistoryClient
from headgate.history.opening import erase, open_store
from headgate.history.store import Read, Store
from headgate.local.ports import LOOPBACK, free_ports
from headgate.v1.turn_pb2 import HistoryRecord

INSTANCES, CHANGES = 100_000, 1_000_000
BATCH = 5_000
READS = 2_000
TOPIC = "headgate.history"
START_US = 1_700_000_000_000_000
STEP_US = 1_000
SERVE_SECONDS = 60.0


def run(options: Options) -> list[Result]:
    """Write the changes, then ask; on SQLite, and on the PostgreSQL of HEADGATE_BENCH_POSTGRES."""
    home = options.home / "past"
    home.mkdir(parents=True, exist_ok=True)
    stores = {"sqlite": f"sqlite:///{home / 'history.db'}"}
    if url := os.environ.get("HEADGATE_BENCH_POSTGRES"):
        stores["postgresql"] = url
    return [_measured(name, url, home, options) for name, url in stores.items()]


def _measured(name: str, url: str, home: Path, options: Options) -> Result:
    open_store(url, topic=TOPIC).dispose()
    erase(url, topic=TOPIC)
    options.say(f"writing {CHANGES:,} turns of {INSTANCES:,} instances into {name}")
    began, cpu = time.monotonic(), time.process_time()
    _write(url)
    wrote, wrote_cpu = time.monotonic() - began, time.process_time() - cpu
    chance = random.Random(1)
    last_us = START_US + CHANGES * STEP_US
    took, snapshots = [], []
    with _serving(url, home) as endpoint, HistoryClient(endpoint) as asked:
        options.say(f"asking {name} for {READS:,} instances, each as of a moment of its own")
        for _ in range(READS):
            at_us = chance.randrange(last_us - CHANGES * STEP_US // 2, last_us)
            address = f"order/customer-{chance.randrange(INSTANCES)}"
            begin = time.monotonic()
            asked.state(address, at_us=at_us)
            took.append((time.monotonic() - begin) * 1000)
        for number in range(options.repeats):
            options.say(f"a snapshot of {name}, {number + 1} of {options.repeats}")
            begin = time.monotonic()
            found = sum(1 for _ in asked.snapshot(at_us=last_us - number))
            snapshots.append(time.monotonic() - begin)
            if found < INSTANCES * 99 // 100:
                message = f"a snapshot of {found} instances"
                raise AssertionError(message)
    took.sort()
    return {
        "what": name,
        "turns": CHANGES,
        "instances": INSTANCES,
        "turns_per_second": CHANGES / wrote,
        "write_cpu_ms_per_turn": wrote_cpu * 1000 / CHANGES,
        "read_ms_p50": took[READS // 2],
        "read_ms_p99": took[READS * 99 // 100],
        "snapshot_seconds": spread(snapshots),
        "load_average": os.getloadavg()[0],
    }


def _write(url: str) -> None:
    engine = open_store(url, topic=TOPIC)
    store = Store(engine)
    positions = store.positions(1)
    turns: dict[int, int] = {}
    chance = random.Random(2)
    batch: list[bytes] = []
    for number in range(CHANGES):
        # Each once at first, so that all are in the snapshot.
        instance = number if number < INSTANCES else chance.randrange(INSTANCES)
        turns[instance] = turn = turns.get(instance, 0) + 1
        record = HistoryRecord(at_us=START_US + (number + 1) * STEP_US)
        outcome = record.outcome
        outcome.agent_type, outcome.key = "order", f"customer-{instance}"
        outcome.turn = turn
        outcome.completed.SetInParent()
        outcome.mutations.add(name="status", set=b'"step %d"' % turn)
        batch.append(record.SerializeToString())
        if len(batch) == BATCH or number == CHANGES - 1:
            closed = HistoryRecord()
            closed.closed.until_us = record.at_us
            batch.append(closed.SerializeToString())
            store.write([Read(0, batch, positions[0].next_offset + len(batch))], positions)
            batch = []
    engine.dispose()


@contextmanager
def _serving(url: str, home: Path) -> Iterator[str]:
    http, grpc, nobody = free_ports(3)
    command = [sys.executable, "-m", "headgate.cli.app", "history", "serve", "--store", url]
    command += ["--bootstrap", f"{LOOPBACK}:{nobody}"]
    command += ["--http-port", str(http), "--grpc-port", str(grpc)]
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home)
    try:
        endpoint = f"{LOOPBACK}:{grpc}"
        deadline = time.monotonic() + SERVE_SECONDS
        while True:
            try:
                with HistoryClient(endpoint) as asked:
                    asked.position()
                break
            except Exception:
                if time.monotonic() > deadline:
                    raise
        yield endpoint
    finally:
        process.terminate()
        process.wait()
