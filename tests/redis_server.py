"""A real Redis server for tests, in a folder of its own, started again when killed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headgate.config.redis import RedisConfig
from headgate.local.process import Family
from headgate.local.redis import NoRedisServerError, Redis, program
from headgate.local.supervisor import Supervisor

WAIT_SECONDS = 60.0

_prefixes = itertools.count(1)


@contextmanager
def redis_server(home: Path) -> Iterator[Redis]:
    """Run a server below a folder; skips the test where there is none installed."""
    try:
        program()
    except NoRedisServerError as error:
        pytest.skip(str(error))
    with Family() as family:
        supervisor = Supervisor(family)
        # As Redis is by default: what it has acknowledged may be lost when it is killed.
        server = Redis(family, supervisor, home, flush="everysec")
        server.launch()
        server.await_serving()
        try:
            yield server
        finally:
            supervisor.stop()
            server.stop()


def await_true(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not become so"
        time.sleep(0.05)


def settings(server: Redis, **values: object) -> RedisConfig:
    """Return a configuration for a server with a prefix that nobody else has."""
    chosen = {"url": server.url, "prefix": f"test-{next(_prefixes)}", **values}
    return RedisConfig.model_validate(chosen)
