"""The exactly-once sink: outbox, history and dead letters in one Kafka transaction.

A Table sink, because the topic is then a column: one producer writes all three, and one
transaction commits a checkpoint's outputs together.
"""

from __future__ import annotations

from pyflink.table import StreamTableEnvironment, Table

from headgate.flink.sources import create_table


def exactly_once(
    tables: StreamTableEnvironment,
    records: Table,
    *,
    bootstrap: str,
    topics: list[str],
    prefix: str,
    timeout_ms: int,
) -> None:
    """Write rows (topic, key, value), visible under read_committed once a checkpoint is done.

    The partition is Kafka's default for the key: murmur2 of the address, as everywhere.
    """
    options = {
        "connector": "kafka",
        "topic": ";".join(topics),
        "properties.bootstrap.servers": bootstrap,
        "key.format": "raw",
        "key.fields": "k",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
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
        # A restarted broker must be found again within a second.
        "properties.reconnect.backoff.max.ms": "1000",
    }
    columns = "topic STRING NOT NULL METADATA, k BYTES, v BYTES"
    create_table(tables, "headgate_records_out", columns, options)
    statements = tables.create_statement_set()
    statements.add_insert("headgate_records_out", records)
    statements.attach_as_datastream()
