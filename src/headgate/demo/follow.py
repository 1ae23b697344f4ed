"""A reader of Headgate's output topics that follows them through every outage, and notes when it
saw what.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from google.protobuf.message import DecodeError

from headgate.errors import HeadgateError
from headgate.kafka.connect import open_consumer
from headgate.v1.turn_pb2 import DeadLetter, HistoryRecord

POLL_MS = 100
# A broker that is being restarted refuses connections for seconds.
RETRY_SECONDS = 0.2


class Follower:
    """Follows outbox, history and dead letters under read_committed, as a consumer would.

    It judges nothing: `verify` reads the topics anew. It tells when all is through, and when each
    event's answer could be seen.
    """

    def __init__(self, bootstrap: str, outbox: str, history: str, dead_letters: str) -> None:
        """Start following, from the topics' present ends."""
        self._bootstrap = bootstrap
        self._outbox, self._history, self._letters = outbox, history, dead_letters
        self._positions: dict[Any, int] = {}
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-follower", daemon=True)
        self.answered_ms: dict[str, int] = {}  # event -> wall clock when its output was seen
        self.taken: set[str] = set()  # events that a turn took
        self.given_up: set[str] = set()  # events in the dead letters
        self.records = 0
        self._thread.start()

    def await_ready(self, seconds: float) -> None:
        """Wait until it reads; raises HeadgateError."""
        if not self._ready.wait(seconds):
            message = f"the output topics could not be read within {seconds:.0f} s"
            raise HeadgateError(message)

    def through(self, wanted: set[str]) -> int:
        """Return how many of the wanted events are through: taken and answered, or given up."""
        return len(wanted & ((self.taken & self.answered_ms.keys()) | self.given_up))

    def stop(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        from kafka.errors import KafkaError

        while not self._stopping.is_set():
            try:
                self._follow()
            except (HeadgateError, KafkaError, OSError):
                self._stopping.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        from kafka import TopicPartition

        consumer = open_consumer(
            self._bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        try:
            places = [
                TopicPartition(topic, number)
                for topic in (self._outbox, self._history, self._letters)
                for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            if not self._positions:
                self._positions = consumer.end_offsets(places)
            consumer.assign(places)
            for place, position in self._positions.items():
                consumer.seek(place, position)
            self._ready.set()
            while not self._stopping.is_set():
                for place, records in consumer.poll(POLL_MS).items():
                    seen_ms = time.time_ns() // 1_000_000
                    for record in records:
                        self._note(record, seen_ms)
                    self._positions[place] = records[-1].offset + 1
        finally:
            consumer.close()

    def _note(self, record: Any, seen_ms: int) -> None:
        self.records += 1
        try:
            if record.topic == self._outbox:
                cause = json.loads(record.value).get("causationid", "")
                self.answered_ms.setdefault(cause, seen_ms)
            elif record.topic == self._history:
                outcome = HistoryRecord.FromString(record.value).outcome
                self.taken.update(ref.id for ref in outcome.taken)
            else:
                self.given_up.add(DeadLetter.FromString(record.value).event_id)
        except (ValueError, DecodeError):
            return  # `verify` will find what is missing, and name it
