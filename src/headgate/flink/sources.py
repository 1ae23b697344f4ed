"""Kafka sources. All are Table sources: the only ones that hand Python a record's key and headers.

The journal is keyed and projected by Flink's own code, so that its records enter Python once,
in Gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyflink.datastream import DataStream
from pyflink.table import StreamTableEnvironment

from headgate.bootstrap import Bootstrap
from headgate.flink.credentials import table_options

RESET = "auto.offset.reset"

_TIME = "CAST(ts AS TIMESTAMP(3))"
MILLISECONDS = (
    f"CAST(TIMESTAMPDIFF(DAY, TIMESTAMP '1970-01-01 00:00:00', {_TIME}) AS BIGINT) * 86400000"
    f" + EXTRACT(HOUR FROM {_TIME}) * 3600000 + EXTRACT(MINUTE FROM {_TIME}) * 60000"
    f" + EXTRACT(SECOND FROM {_TIME}) * 1000 + EXTRACT(MILLISECOND FROM {_TIME})"
)
"""A record's timestamp as a number. SQL has no cast for it, and a timestamp would be an object
in Python. The session's zone must be UTC.
"""

_RECORDS = "SELECT topic, `partition`, `offset`, ms, k, v, headers FROM headgate_{name}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def create_table(
    tables: StreamTableEnvironment, name: str, columns: str, options: Mapping[str, str]
) -> None:
    """Create a temporary table; the columns are SQL."""
    listed = ",\n  ".join(f"{_quoted(key)} = {_quoted(value)}" for key, value in options.items())
    tables.execute_sql(f"CREATE TEMPORARY TABLE {name} (\n  {columns}\n) WITH (\n  {listed}\n)")


def _options(bootstrap: Bootstrap, topics: list[str], group: str) -> dict[str, str]:
    return {
        "connector": "kafka",
        "topic": ";".join(topics),
        **table_options(bootstrap),
        "properties.group.id": group,
        # Positions are Flink's; the group's are only for lag views.
        "properties.commit.offsets.on.checkpoint": "true",
        "key.format": "raw",
        "key.fields": "k",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        # Checked once, when topics and partitions are: they are fixed for the life of a job.
        "scan.topic-partition-discovery.interval": "0",
    }


def records(
    tables: StreamTableEnvironment,
    name: str,
    *,
    bootstrap: Bootstrap,
    topics: list[str],
    group: str,
) -> DataStream:
    """Rows `(topic, partition, offset, ms, key, value, headers)` of topics.

    name: the source's, for savepoints: it must stay the same for as long as they are kept.
    """
    columns = (
        "k BYTES, v BYTES, topic STRING METADATA VIRTUAL, `partition` INT METADATA VIRTUAL, "
        "`offset` BIGINT METADATA VIRTUAL, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, "
        "headers MAP<STRING, BYTES> METADATA VIRTUAL, ms AS " + MILLISECONDS
    )
    options = _options(bootstrap, topics, group)
    options["scan.startup.mode"] = "earliest-offset"
    # What a producer took back, a replay of dead letters that was killed among them, is no event.
    options["properties.isolation.level"] = "read_committed"
    create_table(tables, f"headgate_{name}", columns, options)
    selected = tables.sql_query(_RECORDS.format(name=name))
    stream = tables.to_data_stream(selected)
    _source_of(stream, uid=name)
    return stream


def journal(
    tables: StreamTableEnvironment, *, bootstrap: Bootstrap, topic: str, partitions: int, group: str
) -> DataStream:
    """Rows `(key, (key, value, partition, offset, ms))` of the journal, from its very beginning.

    Where the log no longer holds the position, the job refuses to go on: skipping outcomes
    would fork history (rule 11).
    """
    columns = (
        "k STRING, v BYTES, `partition` INT METADATA VIRTUAL, `offset` BIGINT METADATA VIRTUAL, "
        "ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, ms AS " + MILLISECONDS
    )
    options = _options(bootstrap, [topic], group)
    options["scan.startup.mode"] = "specific-offsets"
    options["scan.startup.specific-offsets"] = ";".join(
        f"partition:{number},offset:0" for number in range(partitions)
    )
    create_table(tables, "headgate_journal", columns, options)
    selected = tables.sql_query(
        "SELECT k, ROW(k, v, `partition`, `offset`, ms) FROM headgate_journal"
    )
    stream = tables.to_data_stream(selected)
    _never_reset(_source_of(stream, uid="journal"))
    return stream


def history(
    tables: StreamTableEnvironment,
    *,
    bootstrap: Bootstrap,
    topic: str,
    starts: Sequence[int],
    group: str,
) -> DataStream:
    """Rows `(partition, offset, key, value)` of the history, committed ones alone.

    starts: where each partition begins, unless a checkpoint says otherwise.
    """
    columns = "k BYTES, v BYTES, `partition` INT METADATA VIRTUAL, `offset` BIGINT METADATA VIRTUAL"
    options = _options(bootstrap, [topic], group)
    options["scan.startup.mode"] = "specific-offsets"
    options["scan.startup.specific-offsets"] = ";".join(
        f"partition:{number},offset:{start}" for number, start in enumerate(starts)
    )
    options["properties.isolation.level"] = "read_committed"
    create_table(tables, "headgate_history", columns, options)
    stream = tables.to_data_stream(
        tables.sql_query("SELECT `partition`, `offset`, k, v FROM headgate_history")
    )
    _source_of(stream, uid="history")
    return stream


def _source_of(stream: DataStream, *, uid: str) -> Any:
    """Return the Java source below a stream, and name its state for savepoints.

    The planner leaves its operators without uids; a source's positions must be found again
    whatever else of the graph has changed.
    """
    transformation: Any = stream._j_data_stream.getTransformation()
    while transformation.getInputs().size():
        transformation = transformation.getInputs().get(0)
    transformation.setUid(uid)
    return transformation.getSource()


def _never_reset(source: Any) -> None:
    """Set the consumer's reset strategy to NONE.

    The Table connector pins it to EARLIEST for specific offsets and lets no option change it;
    the source object inside the graph is open to the gateway.
    """
    field = source.getClass().getDeclaredField("props")
    field.setAccessible(True)
    properties = field.get(source)
    if properties.getProperty(RESET) is None:
        msg = "this Kafka connector keeps the reset strategy elsewhere than 5.0.0-2.2 did"
        raise RuntimeError(msg)
    properties.setProperty(RESET, "none")
