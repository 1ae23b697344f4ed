"""Exactly-once Kafka sinks: outbox, history, dead letters."""

from __future__ import annotations

from pyflink.common.serialization import RowFieldExtractorSchema
from pyflink.datastream import DataStream
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
from pyflink.java_gateway import get_gateway


def exactly_once(
    stream: DataStream, name: str, *, bootstrap: str, topic: str, prefix: str, timeout_ms: int
) -> None:
    """Write rows (key, value) to a topic, visible under read_committed once a checkpoint is done.

    The partition is Kafka's default for the key: murmur2 of the address, as everywhere.
    """
    schema = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(topic)
        .set_key_serialization_schema(RowFieldExtractorSchema(0))
        .set_value_serialization_schema(RowFieldExtractorSchema(1))
        .build()
    )
    builder = (
        KafkaSink.builder()
        .set_bootstrap_servers(bootstrap)
        .set_record_serializer(schema)
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(f"{prefix}-{name}")
        .set_property("transaction.timeout.ms", str(timeout_ms))
        # What is written is visible at the next checkpoint, which flushes: gathering until then
        # costs no latency, and a wake-up and a request less for every record.
        .set_property("linger.ms", "100")
        .set_property("batch.size", "262144")
        # A restarted broker must be found again within a second.
        .set_property("reconnect.backoff.max.ms", "1000")
    )
    naming = (
        get_gateway().jvm.org.apache.flink.connector.kafka.sink.TransactionNamingStrategy.POOLING
    )
    # A bounded pool of ids, listed at the broker after a restart: what hangs is found and aborted.
    builder._j_builder.setTransactionNamingStrategy(naming)
    stream.sink_to(builder.build()).name(name).uid(name)
