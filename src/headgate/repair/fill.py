"""Writing what is missing, all of it or nothing: one Kafka transaction."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.config import Config
from headgate.errors import HeadgateError
from headgate.kafka.connect import REQUEST_AT_MOST_MS
from headgate.kafka.credentials import python_settings
from headgate.kafka.topics import message_bytes
from headgate.repair.gaps import Gap
from headgate.sealing.known import seals_at

# Kafka's default limit is 15 minutes.
TRANSACTION_SECONDS = 600.0


class RepairError(HeadgateError):
    """The repair was not written; the topics are as they were.

    Operator action: read the cause in the message, then run `headgate repair` again.
    """


def fill(config: Config, gaps: Sequence[Gap]) -> None:
    """Write gaps, in their order, as the job would have: key, value, partition and timestamp.

    Raises:
        RepairError: nothing was written.
    """
    if not gaps:
        return
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    seals = seals_at(config.kafka.bootstrap)
    producer = KafkaProducer(
        **python_settings(config.kafka.bootstrap),
        client_id="headgate",
        # No id of a sink's: the job's start does not abort it, and a second repair fences this one.
        transactional_id=f"{config.job.name}-repair",
        transaction_timeout_ms=int(TRANSACTION_SECONDS * 1_000),
        acks="all",
        max_request_size=message_bytes(config),
        request_timeout_ms=REQUEST_AT_MOST_MS,
        metrics_enabled=False,
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        sent = [
            producer.send(
                gap.topic,
                key=gap.address.encode(),
                value=seals.seal(gap.topic, gap.address.encode(), gap.value) or None,
                partition=gap.partition,
                timestamp_ms=gap.timestamp_ms,
            )
            for gap in gaps
        ]
        producer.flush()
        for future in sent:
            future.get(TRANSACTION_SECONDS)
        producer.commit_transaction()
    except KafkaError as error:
        message = f"nothing was repaired: {error}"
        raise RepairError(message) from error
    finally:
        # Without a commit the transaction is aborted by closing.
        producer.close(timeout=TRANSACTION_SECONDS)
