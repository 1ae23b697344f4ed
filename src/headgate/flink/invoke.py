"""Invoke: the async operator's function. It carries the dispatcher and returns at once.

Stock PyFlink awaits the slowest call of a bundle and drains all calls before a checkpoint. This
function hands the request to the dispatcher and completes with no output; the outcome travels
through the journal.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from typing import Any

from pyflink.datastream.functions import AsyncFunction, RuntimeContext

from headgate.bootstrap import Bootstrap
from headgate.flink.handover import Handover, install
from headgate.kafka.journal import KafkaJournal
from headgate.rpc.dispatcher import Dispatcher, DispatcherLimits
from headgate.rpc.endpoint import EndpointLimits
from headgate.sealing.places import Encryption, Seals
from headgate.v1.turn_pb2 import InvokeRequest

log = logging.getLogger(__name__)

LEAST_ANSWER_BYTES = 4 * 1024 * 1024
"""gRPC's default: what services that know nothing of `limits.max_record` expect to pass."""


@dataclass(frozen=True, slots=True)
class InvokeSettings:
    """What one Invoke subtask needs to know."""

    bootstrap: Bootstrap
    journal: str
    gather_seconds: float
    concurrency: int
    queue_bytes: int
    record_bytes: int
    encryption: Encryption | None = None


class Invoke(AsyncFunction):
    """Takes the bytes of an InvokeRequest; never emits."""

    def __init__(self, settings: InvokeSettings) -> None:
        self._settings = settings
        self._journal: KafkaJournal | None = None
        self._dispatcher: Dispatcher | None = None
        self.handover: Handover | None = None

    def open(self, runtime_context: RuntimeContext) -> None:
        """Connect the journal's producer."""
        s = self._settings
        self._journal = KafkaJournal(s.bootstrap, s.journal, Seals.of(s.encryption))
        self._dispatcher = Dispatcher(
            self._journal,
            DispatcherLimits(
                EndpointLimits(s.concurrency, s.queue_bytes, answer_bytes=_answer_bytes(s)),
                s.record_bytes,
                s.gather_seconds,
            ),
            now_us=lambda: time.time_ns() // 1000,
            random_id=lambda: os.urandom(16),
        )
        self.handover = Handover(self._take)
        install()

    def close(self) -> None:
        """Write what is answered; calls under way are made again by the next life."""
        if self._dispatcher is not None:
            self._dispatcher.flush()
        if self._journal is not None:
            self._journal.close()

    async def async_invoke(self, value: Any) -> list[Any]:
        """Take one request: the stock way in, where no handover is installed.

        Raises only if the journal is beyond repair: then the job fails over.
        """
        self._take(value)
        return []

    def _take(self, value: Any) -> None:
        if self._dispatcher is not None:
            self._dispatcher.take(InvokeRequest.FromString(value))

    def timeout(self, value: Any) -> list[Any]:
        """Never called: the operator runs without a timeout; deadlines are the dispatcher's."""
        return []


def _answer_bytes(settings: InvokeSettings) -> int:
    """An answer becomes a record: one of twice its size is refused by any measure."""
    return max(LEAST_ANSWER_BYTES, 2 * settings.record_bytes)
