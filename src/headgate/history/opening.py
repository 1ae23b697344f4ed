"""Opening a store: SQLite beside the process, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from headgate.history import schema
from headgate.history.errors import StoreError

BUSY_SECONDS = 30
"""A writer of SQLite's holds the database for a batch, retention for longer; readers never wait."""

POOL = 20
"""Connections that stay open: one for each question that is answered at once, and the writer's."""


def open_store(url: str, *, topic: str | None = None) -> Engine:
    """Connect to a store. ``topic`` is its history's: tables are made where there are none.

    url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.

    Raises:
        StoreError: it cannot be reached, is of another version or topic, or is not there and
            ``topic`` is not given.
    """
    engine = _engine(url)
    try:
        is_there = inspect(engine).has_table("settings")
        if is_there:
            _check(engine, topic)
        elif topic is None:
            _refuse_empty(engine)
        else:
            with engine.begin() as making:
                schema.metadata.create_all(making)
                said = {"version": str(schema.VERSION), "topic": topic, "horizon_us": "0"}
                rows = [{"name": name, "value": value} for name, value in said.items()]
                making.execute(schema.settings.insert(), rows)
    except SQLAlchemyError as error:
        engine.dispose()
        message = f"{_shown(engine)} cannot be used: {_first_line(error)}"
        raise StoreError(message) from error
    except StoreError:
        engine.dispose()
        raise
    return engine


def erase(url: str, *, topic: str) -> None:
    """Remove all that a store holds, whatever its version; it is empty then, and of that topic.

    Raises:
        StoreError: it cannot be reached, or is none.
    """
    engine = _engine(url)
    try:
        if not inspect(engine).has_table("settings"):
            _refuse_empty(engine)
        with engine.begin() as erasing:
            schema.metadata.drop_all(erasing)
    except SQLAlchemyError as error:
        message = f"{_shown(engine)} cannot be emptied: {_first_line(error)}"
        raise StoreError(message) from error
    finally:
        engine.dispose()
    open_store(url, topic=topic).dispose()


def shown(url: str) -> str:
    """Return a store's URL without its password; raises StoreError."""
    return _shown(_engine(url))


def said(engine: Engine, name: str) -> str:
    """Return one of the store's own settings."""
    table = schema.settings
    with engine.connect() as reading:
        return reading.scalar(select(table.c.value).where(table.c.name == name)) or ""


def claim_topic(engine: Engine, topic_id: str) -> None:
    """Note which topic a store follows, by Kafka's own id of it.

    Raises:
        StoreError: it follows another one, of the same name: offsets would mean other turns.
    """
    table = schema.settings
    with engine.begin() as writing:
        kept = writing.scalar(select(table.c.value).where(table.c.name == "topic_id"))
        if kept is None:
            writing.execute(table.insert(), {"name": "topic_id", "value": topic_id})
    if kept not in {None, topic_id}:
        message = (
            "the history topic was removed and made anew since the store began: its offsets begin "
            "again. Make the store anew with `headgate history rebuild`, or name another"
        )
        raise StoreError(message)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        message = (
            f"{url!r} is no store: write sqlite:///PATH or "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
        raise StoreError(message) from error
    match parsed.get_backend_name():
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                message = "a store in memory is gone with its process: write sqlite:///PATH"
                raise StoreError(message)
            try:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                message = f"{parsed.database} cannot be made: {error.strerror}"
                raise StoreError(message) from error
            engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, pool_size=POOL)
            event.listen(engine, "connect", _as_wal)
            event.listen(engine, "begin", _begin)
            return engine
        case "postgresql":
            driver = parsed.set(drivername="postgresql+psycopg")
            engine = create_engine(
                driver, isolation_level="REPEATABLE READ", pool_pre_ping=True, pool_size=POOL
            )
            event.listen(engine, "connect", _as_reader_of_all)
            return engine
        case other:
            message = f"a store is kept in sqlite or postgresql, not in {other}"
            raise StoreError(message)


def _as_wal(connection: Any, _: object) -> None:
    # The driver would begin transactions by itself, and not before the first write: two reads of
    # one answer could then see different batches.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # After a power failure the last batches may be missing, their positions with them.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _as_reader_of_all(connection: Any, _: object) -> None:
    # Long answers come by cursors, of which PostgreSQL expects that a tenth is read: it read every
    # version of everything in order for the sake of an early first row, and took five times as long
    # as finding what stood and sorting that.
    connection.execute("SET cursor_tuple_fraction = 1")
    # Machine code for each of the parts takes longer to make than a plan takes to run.
    connection.execute("SET jit = off")
    connection.commit()


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")


def _check(engine: Engine, topic: str | None) -> None:
    version, kept = said(engine, "version"), said(engine, "topic")
    if version != str(schema.VERSION):
        message = (
            f"{_shown(engine)} is of version {version}, this Headgate reads {schema.VERSION}: "
            "make it anew with `headgate history rebuild`"
        )
        raise StoreError(message)
    if topic is not None and kept != topic:
        message = f"{_shown(engine)} holds the history of {kept}, not of {topic}"
        raise StoreError(message)


def _refuse_empty(engine: Engine) -> None:
    message = f"{_shown(engine)} holds no history yet: start `headgate history serve`"
    raise StoreError(message)


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, OperationalError) and error.orig else error
    return str(cause).strip().splitlines()[0]
