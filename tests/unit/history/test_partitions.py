"""How a store is read: on PostgreSQL in parts, and what stood at a moment by its range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from headgate.history.opening import erase, open_store
from headgate.history.partitions import PARTS
from headgate.history.reading import Reader
from headgate.history.store import Read, Store
from headgate.v1.history_pb2 import Moment
from tests.postgres_server import PostgresServer
from tests.unit.history.conftest import NOW, TOPIC
from tests.unit.history.test_strange import closed, turn

INSTANCES, VERSIONS = 2_000, 30
LAST = NOW + INSTANCES * VERSIONS


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[Engine]:
    """A store with enough for PostgreSQL to care how it is read: each microsecond one instance's
    value is replaced, and a message sent that is taken a hundred microseconds later.
    """
    engine = open_store(postgres.database(), topic=TOPIC)
    Store(engine).positions(1)
    made = (
        "INSERT INTO instances SELECT i, 'thing/' || i, 'thing', 0, {v},"
        " {now} + {n} * ({v} - 1) + i, true, false FROM generate_series(1, {n}) AS i",
        "INSERT INTO names SELECT i, 'a', 0, 1 FROM generate_series(1, {n}) AS i",
        "INSERT INTO turns SELECT i, v, {now} + {n} * (v - 1) + i, 0, ''"
        " FROM generate_series(1, {n}) AS i, generate_series(1, {v}) AS v",
        "INSERT INTO cells SELECT i, 'a', 0, {now} + {n} * (v - 1) + i, 0,"
        " CASE v WHEN {v} THEN 9223372036854775807 ELSE {now} + {n} * v + i END, 0, v, '1'"
        " FROM generate_series(1, {n}) AS i, generate_series(1, {v}) AS v",
        "INSERT INTO messages SELECT 'm' || t, 'thing/1', 'thing/2', 'told', '', {now} + t,"
        " {now} + t + 100 FROM generate_series(1, {n} * {v}) AS t",
        "UPDATE positions SET closed_us = {now} + {n} * {v}",
    )
    with engine.begin() as writing:
        for statement in made:
            writing.execute(text(statement.format(n=INSTANCES, v=VERSIONS, now=NOW)))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as writing:
        writing.execute(text("ANALYZE"))
    yield engine
    engine.dispose()


def plans(engine: Engine, table: str, ask: Callable[[], object]) -> str:
    """Return how a question finds what it asks of a table."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if f"FROM {table}" in statement:
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert asked
    lines: list[str] = []
    with engine.connect() as reading:
        for statement, parameters in asked:
            # As it is asked: of a cursor PostgreSQL may think that nobody reads it to its end.
            explain = (
                "EXPLAIN QUERY PLAN"
                if engine.dialect.name == "sqlite"
                else "EXPLAIN DECLARE asked CURSOR FOR"
            )
            found = reading.exec_driver_sql(f"{explain} {statement}", parameters)
            lines += [str(row[-1]) for row in found]
    return "\n".join(lines)


def test_the_large_tables_are_in_parts(filled: Engine) -> None:
    counted = text(
        "SELECT parent.relname, count(*) FROM pg_inherits"
        " JOIN pg_class AS parent ON parent.oid = inhparent"
        " JOIN pg_class AS part ON part.oid = inhrelid WHERE part.relkind = 'r' GROUP BY 1"
    )
    with filled.connect() as reading:
        found = dict(reading.execute(counted).tuples().all())
    assert found == {"cells": PARTS, "turns": PARTS, "messages": PARTS}


def test_one_instance_is_read_in_its_part(filled: Engine) -> None:
    reader = Reader(filled)
    for table in ("cells", "turns"):
        plan = plans(filled, table, lambda: reader.state("thing/7", Moment(at_us=NOW + 5_000)))
        assert plan.count(" on ") == 1, plan
        assert "Index" in plan


@pytest.mark.parametrize("part", [0.1, 0.5, 1.0])
def test_a_moment_is_found_by_its_range_however_long_ago(filled: Engine, part: float) -> None:
    reader = Reader(filled)
    at_us = NOW + int((LAST - NOW) * part)
    found: list[Any] = []
    plan = plans(filled, "cells", lambda: found.extend(reader.snapshot(at_us)))
    assert len(found) == INSTANCES
    assert "Seq Scan" not in plan
    assert plan.count("_int8range_idx") == plan.count("_from_us_idx") == PARTS, plan
    plan = plans(filled, "messages", lambda: found.extend(reader.in_flight(at_us)))
    assert len(found) == INSTANCES + 100
    assert "Seq Scan" not in plan


def test_all_of_it_is_erased(postgres: PostgresServer) -> None:
    url = postgres.database()
    engine = open_store(url, topic=TOPIC)
    store = Store(engine)
    store.write([Read(0, [turn(1, NOW).SerializeToString()], 1)], store.positions(1))
    engine.dispose()
    erase(url, topic="another")
    engine = open_store(url)
    assert Reader(engine).position().turns == 0
    engine.dispose()


def test_sqlite_finds_what_is_under_way_by_its_index(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'history.db'}", topic=TOPIC)
    store = Store(engine)
    positions = store.positions(1)
    store.write([Read(0, [closed(NOW).SerializeToString()], 1)], positions)
    plan = plans(engine, "messages", lambda: list(Reader(engine).in_flight(NOW)))
    assert "SEARCH messages USING INDEX messages_under_way (taken_us>?)" in plan
    engine.dispose()
