"""Asking Gate: a question through the inbox, an answer beside the journal."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, Self

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.core.identity import partition_of
from headgate.kafka.controls import CONNECT_SECONDS
from headgate.kafka.follow import Following
from headgate.kafka.publish import Publisher
from headgate.sealing.envelope import is_sealed, told
from headgate.v1.turn_pb2 import InboxRecord, Inspect, InstanceReport

# An answer takes tens of milliseconds. One that a failover has swallowed is asked for again.
AGAIN_SECONDS = 3.0


class Inspector:
    """Asks questions of Gate over connections that it keeps. Threads may share one.

    >>> with Inspector("127.0.0.1:9092", Config()) as inspector:  # doctest: +SKIP
    ...     inspector.report("order/17", wait_seconds=40)
    """

    def __init__(self, bootstrap: Bootstrap, config: Config) -> None:
        """Connect.

        Raises:
            HeadgateError: the answers cannot be read.
        """
        self._config = config
        self._found: dict[str, InstanceReport | None] = {}
        self._changed = threading.Condition()
        self._following = Following(
            bootstrap, [config.topic_names.answers], self._take, shows_sealed=True
        )
        self._following.await_ready(CONNECT_SECONDS)
        self._inbox = Publisher(bootstrap)

    def close(self) -> None:
        """Disconnect."""
        self._following.close()
        self._inbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def report(self, address: str, *, wait_seconds: float) -> InstanceReport | None:
        """Return what Gate knows of an instance, None if nobody answers in time.

        Raises:
            HeadgateError: the inbox was not written.
        """
        found = self._ask({address: Inspect()}, wait_seconds)
        return found[0] if found else None

    def count_busy(self, agent_type: str, *, wait_seconds: float) -> int | None:
        """Return how many instances of a type have work to do, None if not all of Gate answers in
        time.

        Where there are very many it is a smaller number, but never 0.

        Raises:
            HeadgateError: the inbox was not written.
        """
        keys = shard_keys(agent_type, self._config.kafka.partitions)
        questions = {key: Inspect(agent_type=agent_type) for key in keys}
        found = self._ask(questions, wait_seconds)
        if found is None:
            return None
        return sum(max(each.busy_instances, each.truncated) for each in found)

    def _take(self, record: Any) -> None:
        request_id = (record.key or b"").decode(errors="replace")
        with self._changed:
            if request_id in self._found:
                value = record.value or b""
                self._found[request_id] = (
                    InstanceReport(problem=told(value))
                    if is_sealed(value)
                    else InstanceReport.FromString(value)
                )
                self._changed.notify_all()

    def _ask(
        self, questions: Mapping[str, Inspect], wait_seconds: float
    ) -> list[InstanceReport] | None:
        """Ask each question at its address; return all answers, None if one is missing in time."""
        asked = {str(uuid.uuid4()): address for address in questions}
        deadline = time.monotonic() + wait_seconds
        with self._changed:
            self._found |= dict.fromkeys(asked)
        try:
            while True:
                for request_id, address in asked.items():
                    if self._found[request_id] is None:
                        question = Inspect(request_id=request_id)
                        question.MergeFrom(questions[address])
                        record = InboxRecord(inspect=question).SerializeToString()
                        self._inbox.send(self._config.topic_names.inbox, address, record).wait()
                left = deadline - time.monotonic()
                with self._changed:
                    if self._changed.wait_for(lambda: self._has(asked), min(AGAIN_SECONDS, left)):
                        return [report for each in asked if (report := self._found[each])]
                if left <= AGAIN_SECONDS:
                    return None
        finally:
            with self._changed:
                for request_id in asked:
                    del self._found[request_id]

    def _has(self, asked: Mapping[str, str]) -> bool:
        return all(self._found[each] is not None for each in asked)


def inspect(
    bootstrap: Bootstrap, config: Config, address: str, *, wait_seconds: float
) -> InstanceReport | None:
    """Ask one question: see `Inspector.report`."""
    with Inspector(bootstrap, config) as inspector:
        return inspector.report(address, wait_seconds=wait_seconds)


def count_busy(
    bootstrap: Bootstrap, config: Config, agent_type: str, *, wait_seconds: float
) -> int | None:
    """Ask one question: see `Inspector.count_busy`."""
    with Inspector(bootstrap, config) as inspector:
        return inspector.count_busy(agent_type, wait_seconds=wait_seconds)


def shard_keys(agent_type: str, shards: int) -> list[str]:
    """Return an address of the type for each shard, to ask the shard by."""
    found: dict[int, str] = {}
    for number in itertools.count():
        key = f"{agent_type}/{number}"
        found.setdefault(partition_of(key.encode(), shards), key)
        if len(found) == shards:
            return [found[shard] for shard in range(shards)]
    raise AssertionError  # counting never ends
