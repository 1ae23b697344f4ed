"""How long it takes into Redis: from the journal on a job, as a reader of the stream sees it."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from benchmarks.ladder import plan
from benchmarks.measure import Result, open_loop, warm_up
from benchmarks.options import Options
from benchmarks.redis_history import PARTITIONS, keys_of
from benchmarks.stand import Stand

JOB_RATE, JOB_KEYS = 200.0, 5_000


def from_journal(options: Options) -> Result:
    """From the time at which a turn happened to its entry, on the job: with the checkpoint that
    commits it.
    """
    took: list[float] = []
    with Stand(options.home, 1, options.say) as stand:
        server = stand.stack.start_redis()
        with stand.job(plan("redis-lag", JOB_RATE)) as job:
            stand.stack.start_redis_service("feed", stand.stack.home / "redis-lag.toml")
            warm_up(stand, job, JOB_RATE, options.warm_up_seconds / 2, JOB_KEYS)
            with reading_lag(server.url, took):
                options.say(f"a job at {JOB_RATE:.0f} events/s for {options.seconds:.0f} s")
                open_loop(stand, job, JOB_RATE, options.seconds, JOB_KEYS)
    return lag_row(f"from the journal, {JOB_RATE:.0f}/s", took)


def lag_row(what: str, took: list[float]) -> Result:
    """Return a row of the table; milliseconds."""
    took.sort()
    return {
        "what": what,
        "updates": len(took),
        "lag_ms_p50": took[len(took) // 2],
        "lag_ms_p99": took[len(took) * 99 // 100],
        "load_average": os.getloadavg()[0],
    }


@contextmanager
def reading_lag(url: str, took: list[float]) -> Iterator[None]:
    """Read all entries that come, and how old the turn of each is, in milliseconds."""
    ended = threading.Event()
    reader = threading.Thread(target=_read, args=(url, took, ended))
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()


def _read(url: str, took: list[float], ended: threading.Event) -> None:
    with redis.Redis.from_url(url) as client:
        after: dict[Any, Any] = {keys_of(number).changes: "$" for number in range(PARTITIONS)}
        while not ended.is_set():
            for name, entries in client.xread(after, block=100) or ():
                now_us = time.time_ns() // 1_000
                took += [(now_us - int(fields[b"at_us"])) / 1_000 for _, fields in entries]
                after[name.decode()] = entries[-1][0]
