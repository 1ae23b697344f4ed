"""Asking Gate: a question through the inbox, an answer beside the journal."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from headgate.config import Config
from headgate.core.identity import partition_of
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
    found = _ask(bootstrap, config, {address: Inspect()}, wait_seconds)
    return found[address] if found else None


def count_busy(
    bootstrap: str, config: Config, agent_type: str, *, wait_seconds: float
) -> int | None:
    """Return how many instances of a type have work to do, None if not all of Gate answers in time.

    Where there are very many it is a smaller number, but never 0.

    Raises:
        HeadgateError: the inbox was not written, or the answers cannot be read.
    """
    keys = shard_keys(agent_type, config.kafka.partitions)
    questions = {key: Inspect(agent_type=agent_type) for key in keys}
    found = _ask(bootstrap, config, questions, wait_seconds)
    if found is None:
        return None
    return sum(max(each.busy_instances, each.truncated) for each in found.values())


def shard_keys(agent_type: str, shards: int) -> list[str]:
    """Return an address of the type for each shard, to ask the shard by."""
    found: dict[int, str] = {}
    for number in itertools.count():
        key = f"{agent_type}/{number}"
        found.setdefault(partition_of(key.encode(), shards), key)
        if len(found) == shards:
            return [found[shard] for shard in range(shards)]
    raise AssertionError  # counting never ends


def _ask(
    bootstrap: str, config: Config, questions: Mapping[str, Inspect], wait_seconds: float
) -> dict[str, InstanceReport] | None:
    """Ask each question at its address; return all answers, None if one is missing in time."""
    names = config.topic_names
    asked = {str(uuid.uuid4()): address for address in questions}
    found: dict[str, InstanceReport] = {}
    is_complete = threading.Event()

    def look(record: Any) -> None:
        address = asked.get((record.key or b"").decode(errors="replace"))
        if address is not None:
            found[address] = InstanceReport.FromString(record.value or b"")
            if len(found) == len(asked):
                is_complete.set()

    deadline = time.monotonic() + wait_seconds
    with Following(bootstrap, [names.answers], look) as following, Publisher(bootstrap) as inbox:
        following.await_ready(CONNECT_SECONDS)
        while not is_complete.is_set() and time.monotonic() < deadline:
            for request_id, address in asked.items():
                if address not in found:
                    question = Inspect(request_id=request_id)
                    question.MergeFrom(questions[address])
                    record = InboxRecord(inspect=question)
                    inbox.send(names.inbox, address, record.SerializeToString()).wait()
            is_complete.wait(min(AGAIN_SECONDS, max(0.0, deadline - time.monotonic())))
    return found if is_complete.is_set() else None
