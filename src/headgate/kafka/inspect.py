"""Asking Gate how an instance is: a question through the inbox, an answer beside the journal."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

from headgate.config import Config
from headgate.kafka.controls import CONNECT_SECONDS
from headgate.kafka.follow import Following
from headgate.kafka.publish import Publisher
from headgate.v1.turn_pb2 import InboxRecord, Inspect, InstanceReport

# An answer takes tens of milliseconds. One that a failover has swallowed is asked for again.
AGAIN_SECONDS = 3.0


def inspect(
    bootstrap: str, config: Config, address: str, *, wait_seconds: float
) -> InstanceReport | None:
    """Return what Gate knows of an instance, None if nobody answers in time.

    Raises:
        HeadgateError: the inbox was not written, or the answers cannot be read.
    """
    names, request_id = config.topic_names, str(uuid.uuid4())
    answers: list[InstanceReport] = []
    is_there = threading.Event()

    def look(record: Any) -> None:
        if record.key == request_id.encode():
            answers.append(InstanceReport.FromString(record.value or b""))
            is_there.set()

    question = InboxRecord(inspect=Inspect(request_id=request_id)).SerializeToString()
    deadline = time.monotonic() + wait_seconds
    with Following(bootstrap, [names.answers], look) as following, Publisher(bootstrap) as inbox:
        following.await_ready(CONNECT_SECONDS)
        while not answers and time.monotonic() < deadline:
            inbox.send(names.inbox, address, question).wait()
            is_there.wait(min(AGAIN_SECONDS, deadline - time.monotonic()))
    return answers[0] if answers else None
