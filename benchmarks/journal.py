"""The journal as the measuring rod: what was decided, and when.

It is read after the load, so that reading costs nothing while something is measured; while the load
runs only its end offsets are looked at.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate.core import statuses
from headgate.core.batch import records_in
from headgate.v1.turn_pb2 import JournalRecord

POLL_SECONDS = 0.25
TIMEOUT_SECONDS = 10.0
# A broker that has not told its controller of itself for three seconds leads nothing for a moment.
LEADER_SECONDS = 30.0
# Ticks go on for ever, one per second and partition: growing by them is quiet.
QUIET_SECONDS = 3.0
# A workflow's status, as its instance's state has it.
COMPLETED = json.dumps(statuses.COMPLETED).encode()


@dataclass(frozen=True, slots=True)
class Decided:
    """One outcome. Times in epoch milliseconds; `sent_ms` has an entry for each event it took."""

    address: str
    completed: bool
    appended_ms: int
    called_ms: float
    answered_ms: float
    sent_ms: tuple[int, ...]
    has_ended: bool = False
    """A workflow: it was this turn that completed it."""


class JournalReader:
    """Reads the journal from marks on."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        """Connect."""
        from confluent_kafka import Consumer, TopicPartition

        self._consumer: Any = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "benchmarks",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "log_level": 3,
            }
        )
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._ticks_per_second = partitions
        self.batches = 0
        """Records since the mark that had outcomes."""
        self._next = self.ends()

    def ends(self) -> list[int]:
        """Return the end offset of each partition."""
        return [self._end(place) for place in self._places]

    def _end(self, place: Any) -> int:
        from confluent_kafka import KafkaException

        deadline = time.monotonic() + LEADER_SECONDS
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_SECONDS)[1])
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def mark(self) -> None:
        """Start from here: what was decided before does not count."""
        self._next, self.batches = self.ends(), 0

    def await_quiet(self, deadline_seconds: float, quiet_seconds: float = QUIET_SECONDS) -> bool:
        """Wait until little more than ticks is written; False if that took too long."""
        deadline = time.monotonic() + deadline_seconds
        since, before = time.monotonic(), sum(self.ends())
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            now, ends = time.monotonic(), sum(self.ends())
            if ends - before > self._ticks_per_second * (now - since + 2):
                since, before = now, ends
            elif now - since >= quiet_seconds:
                return True
        return False

    def read(self) -> list[Decided]:
        """Return the outcomes since the mark, in the order of their times, and move the mark."""
        from confluent_kafka import TopicPartition

        ends = self.ends()
        found: list[Decided] = []
        for place, begin, end in zip(self._places, self._next, ends, strict=True):
            at = begin
            self._consumer.assign([TopicPartition(place.topic, place.partition, begin)])
            while at < end:
                for message in self._consumer.consume(5_000, timeout=1.0):
                    if message.error() is not None:
                        raise RuntimeError(message.error().str())
                    at = message.offset() + 1
                    if message.offset() < end:
                        made = _decided(message)
                        found += made
                        self.batches += bool(made)
        self._consumer.unassign()
        self._next = ends
        found.sort(key=lambda decided: decided.appended_ms)
        return found

    def collect(
        self, events: int, deadline_seconds: float, on_quiet: Callable[[], None] = lambda: None
    ) -> list[Decided]:
        """Wait until that many events are decided, reading only while little else happens.

        A job that restarts is quiet for longer than one that has finished, and so is one that gets
        no CPU: hence the count. ``on_quiet`` is called whenever it is quiet, before it is read.
        """
        deadline = time.monotonic() + deadline_seconds
        found: list[Decided] = []
        while True:
            self.await_quiet(max(deadline - time.monotonic(), 0.0))
            on_quiet()
            found += self.read()
            is_complete = sum(len(decided.sent_ms) for decided in found) >= events
            if is_complete or time.monotonic() >= deadline:
                return sorted(found, key=lambda decided: decided.appended_ms)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def _decided(message: Any) -> list[Decided]:
    records = map(JournalRecord.FromString, records_in(message.value() or b""))
    return [
        Decided(
            address=f"{record.outcome.agent_type}/{record.outcome.key}",
            completed=record.outcome.WhichOneof("verdict") == "completed",
            appended_ms=message.timestamp()[1],
            called_ms=record.outcome.called_us / 1000,
            answered_ms=record.outcome.answered_us / 1000,
            sent_ms=tuple(ref.origin.timestamp_ms for ref in record.outcome.taken),
            has_ended=any(
                change.name == "status" and change.set == COMPLETED
                for change in record.outcome.mutations
            ),
        )
        for record in records
        if record.HasField("outcome")
    ]
