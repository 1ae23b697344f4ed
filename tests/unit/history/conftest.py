"""Stores of both kinds, empty, for one test each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from headgate.history.opening import open_store
from tests.postgres_server import PostgresServer

TOPIC = "headgate.history"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real server."""
    made = PostgresServer()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.db'}"
    made: PostgresServer = request.getfixturevalue("postgres")
    return made.database()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An empty store."""
    made = open_store(url, topic=TOPIC)
    yield made
    made.dispose()
