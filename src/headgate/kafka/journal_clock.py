"""What the brokers' clock says, by the journal: budgets count by it, not by who sets them."""

from __future__ import annotations

from headgate.bootstrap import Bootstrap
from headgate.kafka.errors import UnknownTopicError
from headgate.kafka.publish import count_partitions
from headgate.kafka.span import Spans

LAST_RECORDS = 20
"""Looked at: of the last ones, some are marks of transactions that no reader sees. A running job
ticks into each partition once a second."""


def newest_ms(bootstrap: Bootstrap, journal: str) -> int:
    """Return the log-append time of the journal's newest record, milliseconds since the epoch; 0
    if there is none. Of its first partition, as one is enough.

    Raises:
        BrokerUnreachableError.
    """
    try:
        count_partitions(bootstrap, journal)
    except UnknownTopicError:
        return 0
    with Spans(bootstrap, is_read_committed=False) as spans:
        end = spans.end(journal, 0)
        last = spans.records(journal, 0, end - LAST_RECORDS, end)
        return max((int(record.timestamp) for record in last), default=0)
