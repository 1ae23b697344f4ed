"""The sinks. Outbox, history, dead letters and parked instances share Kafka transactions, exactly
once; inbox and replies are written at least once and at once, for their readers know repeats.

Table sinks, because the topic is then a column: one producer writes all four, and one transaction
commits a checkpoint's outputs together.
"""

from __future__ import annotations

from pyflink.table import StatementSet, StreamTableEnvironment, Table

from headgate.bootstrap import Bootstrap
from headgate.flink.credentials import table_options
from headgate.flink.sources import create_table

ENDLESS_MS = 2_147_483_647
"""Longest time that a producer's settings can name: giving a message up would be an order of
messages with a hole in it. While the broker is away, checkpoints wait with it."""


def exactly_once(
    tables: StreamTableEnvironment,
    statements: StatementSet,
    records: Table,
    *,
    bootstrap: Bootstrap,
    topics: list[str],
    prefix: str,
    timeout_ms: int,
    request_bytes: int,
) -> None:
    """Write rows (topic, key, value), visible under read_committed once a checkpoint is done.

    The partition is Kafka's default for the key: murmur2 of the address, as everywhere.
    """
    options = _options(bootstrap, topics, request_bytes) | {
        "sink.delivery-guarantee": "exactly-once",
        "sink.transactional-id-prefix": prefix,
        # A bounded pool of ids, listed at the broker after a restart: what hangs is found and
        # aborted.
        "sink.transaction-naming-strategy": "POOLING",
        "properties.transaction.timeout.ms": str(timeout_ms),
        # What is written is visible at the next checkpoint, which flushes: gathering until then
        # costs no latency, and a wake-up and a request less for every record.
        "properties.linger.ms": "100",
        "properties.batch.size": "262144",
    }
    columns = "topic STRING NOT NULL METADATA, k BYTES, v BYTES"
    create_table(tables, "headgate_records_out", columns, options)
    statements.add_insert("headgate_records_out", records)


def at_least_once(
    tables: StreamTableEnvironment,
    statements: StatementSet,
    records: Table,
    *,
    bootstrap: Bootstrap,
    topics: list[str],
    request_bytes: int,
) -> None:
    """Write rows (topic, key, value) to inbox and replies as they come: neither messages nor front
    doors wait for a checkpoint.

    Idempotent, so that none overtakes another; flushed before a checkpoint is done. The sink must
    be as parallel as Gate and forward from it: two writers would mix up the order of a sender's
    messages.
    """
    options = _options(bootstrap, topics, request_bytes) | {
        "sink.delivery-guarantee": "at-least-once",
        "properties.acks": "all",
        "properties.enable.idempotence": "true",
        "properties.delivery.timeout.ms": str(ENDLESS_MS),
        "properties.linger.ms": "1",
    }
    columns = "topic STRING NOT NULL METADATA, k BYTES, v BYTES"
    create_table(tables, "headgate_inbox_out", columns, options)
    statements.add_insert("headgate_inbox_out", records)


def _options(bootstrap: Bootstrap, topics: list[str], request_bytes: int) -> dict[str, str]:
    return {
        # Kafka's default is 1 MB, whatever the topics take.
        "properties.max.request.size": str(request_bytes),
        "connector": "kafka",
        "topic": ";".join(topics),
        **table_options(bootstrap),
        "key.format": "raw",
        "key.fields": "k",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        # A restarted broker must be found again within a second.
        "properties.reconnect.backoff.max.ms": "1000",
    }
