"""The parked instances, as the job's exactly-once sink has told of them."""

from __future__ import annotations

import contextlib

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.config import TopicNames
from headgate.kafka.compacted import newest
from headgate.v1.turn_pb2 import ParkedInstance


def read_parked(bootstrap: Bootstrap, names: TopicNames) -> dict[str, ParkedInstance]:
    """Return all instances that are parked, by address: as of the newest checkpoint.

    Raises:
        BrokerUnreachableError, UnknownTopicError: no job has made the topics yet.
    """
    found: dict[str, ParkedInstance] = {}
    for key, value in newest(bootstrap, names.parked).items():
        # Somebody else's record is no parked instance.
        with contextlib.suppress(DecodeError, UnicodeDecodeError):
            found[key.decode()] = ParkedInstance.FromString(value)
    return found
