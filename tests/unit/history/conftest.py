"""Stores of both kinds, empty, for one test each, and how to write turns into them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from headgate.history.opening import open_store
from headgate.history.store import Read, Store
from headgate.v1.agent_pb2 import Mutation
from headgate.v1.turn_pb2 import Controlled, HistoryRecord
from tests.postgres_server import PostgresServer

TOPIC = "headgate.history"
HOUR = 3_600_000_000
NOW = 1_700_000_000_000_000

Write = Callable[..., HistoryRecord]


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


@pytest.fixture
def write(engine: Engine) -> Write:
    """Write an instance's next turn: values by name, lists' items, at an hour, about an hour."""
    store = Store(engine)
    positions = store.positions(1)
    turns: dict[str, int] = {}

    def written(
        address: str,
        hour: float,
        about: float | None = None,
        *,
        append: dict[str, Any] | None = None,
        delete: str = "",
        park: str = "",
        resume: bool = False,
        **values: Any,
    ) -> HistoryRecord:
        record = HistoryRecord(at_us=NOW + int(hour * HOUR))
        outcome = record.outcome
        outcome.agent_type, _, outcome.key = address.partition("/")
        outcome.turn = turns[address] = turns.get(address, 0) + 1
        event = outcome.taken.add(id=f"{address}-{outcome.turn}", source="shop")
        if about is not None:
            event.time_us = NOW + int(about * HOUR)
        changes = [Mutation(name=n, set=json.dumps(v).encode()) for n, v in values.items()]
        changes += [
            Mutation(name=n, append=json.dumps(v).encode()) for n, v in (append or {}).items()
        ]
        outcome.mutations.extend(changes)
        if delete:
            outcome.mutations.add(name=delete, delete=True)
        if park:
            outcome.failed.park = True
            outcome.failed.message = park
        elif resume:
            outcome.controlled.verb = Controlled.RESUME
        else:
            outcome.completed.SetInParent()
        closed = HistoryRecord()
        closed.closed.until_us = record.at_us
        values_read = [record.SerializeToString(), closed.SerializeToString()]
        store.write([Read(0, values_read, positions[0].next_offset + 2)], positions)
        return record

    return written
