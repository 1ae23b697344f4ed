"""One real Redis server for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.local.redis import Redis
from tests.redis_server import redis_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started
