"""Signals: written to the inbox, where the job takes them up."""

from __future__ import annotations

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.kafka.publish import Placed, Publisher
from headgate.v1.turn_pb2 import InboxRecord, Signal


def send_signal(bootstrap: Bootstrap, config: Config, address: str, signal: Signal) -> Placed:
    """Send a signal to an instance; return where it stands once all replicas have it.

    Raises:
        HeadgateError: the inbox was not written.
    """
    record = InboxRecord(signal=signal).SerializeToString()
    with Publisher(bootstrap, max_record=config.limits.max_record) as publisher:
        return publisher.send(config.topic_names.inbox, address, record).wait()
