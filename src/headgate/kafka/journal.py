"""The journal's producer: idempotent, ordered per partition, never giving up.

librdkafka instead of kafka-python: measured, Invoke's worker needs two thirds of the CPU with it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from headgate.bootstrap import Bootstrap
from headgate.errors import HeadgateError
from headgate.kafka.credentials import librdkafka_settings
from headgate.sealing.errors import SealError
from headgate.sealing.places import Seals

log = logging.getLogger(__name__)

WAITING_BYTES = 64_000_000
"""Unwritten outcomes beyond which no new call is made: a broker outage must not fill the
memory, and a call that was paid must not be dropped.
"""

POLL_SECONDS = 0.05
"""How often delivery reports are collected when nothing is written."""

LOOK_SECONDS = 1.0
SET_BACK_SECONDS = 5.0
STUCK_SECONDS = 15.0
"""Where it has no connection, librdkafka waits until a time of day, some milliseconds from now: an
hour, if the clock has been put back by one meanwhile, and so does every turn of the job. When that
long after the clock was put back nothing has been delivered of what waits, a new producer must take
up. A broker that restarts is back by then; what lasts longer costs a failover and no more.
"""


class JournalLostError(HeadgateError):
    """The journal's producer cannot go on; the job fails over and a new producer takes up.

    Operator action: none if it happens once; if it repeats, look at the broker's log for the
    cause named.
    """


class KafkaJournal:
    """Appends records to the journal topic. Written to from one thread; closed from any."""

    def __init__(self, bootstrap: Bootstrap, topic: str, seals: Seals | None = None) -> None:
        """seals: with which the journal's records are sealed; notes come as they are to be."""
        self._topic = topic
        self._seals = seals or Seals()
        # Each counts up in one thread alone. One number that writing adds to and delivery takes
        # from lost what was done between its reading and its writing, and in the end was full.
        self._taken_bytes = 0
        self._delivered_bytes = 0
        # Records of each partition: whose broker is away waits alone.
        self._taken: dict[int, int] = {}
        self._delivered_of: dict[int, int] = {}
        self._lost = ""
        self._watch = _ClockWatch()
        self._closing = threading.Event()
        self._producer = Producer(
            {
                **librdkafka_settings(bootstrap),
                "enable.idempotence": True,
                "acks": "all",
                # Never give up: an outcome is paid for. 0 is librdkafka's word for endless.
                "message.timeout.ms": 0,
                # The dispatcher has gathered already.
                "linger.ms": 0,
                "queue.buffering.max.kbytes": 4 * WAITING_BYTES // 1000,
                "queue.buffering.max.messages": 2_000_000,
                "message.max.bytes": 64_000_000,
                "reconnect.backoff.ms": 50,
                # A restarted broker must be found again within a second, not librdkafka's ten.
                "reconnect.backoff.max.ms": 1_000,
                "error_cb": self._failed,
                "log_level": 3,
            }
        )
        self._poller = threading.Thread(target=self._poll, name="journal-poll", daemon=True)
        self._poller.start()

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Append a record; it is sent in the background.

        Raises:
            JournalLostError: the producer is beyond repair.
        """
        self.raise_if_lost()
        try:
            value = self._seals.seal(self._topic, key, value)
        except SealError as error:
            self._lost = str(error)
            msg = f"journal {self._topic}: {error}"
            raise JournalLostError(msg) from error
        self._taken_bytes += len(value)
        self._taken[partition] = self._taken.get(partition, 0) + 1
        try:
            self._producer.produce(
                self._topic, value, key, partition=partition, on_delivery=self._delivered
            )
        except (BufferError, KafkaException) as error:
            # Remembered: who journals what has gathered has nobody above it to raise to, and an
            # outcome that was not taken must not pass for journaled.
            self._lost = str(error)
            msg = f"journal {self._topic}: {error}"
            raise JournalLostError(msg) from error

    def note(self, topic: str, key: bytes, value: bytes) -> None:
        """Write a record beside the journal; one that cannot be written is let go."""
        self._taken_bytes += len(value)
        try:
            self._producer.produce(topic, value, key, on_delivery=self._noted)
        except (BufferError, KafkaException) as error:
            self._delivered_bytes += len(value)
            log.warning("nothing was written to %s: %s", topic, error)

    def raise_if_lost(self) -> None:
        """Raise JournalLostError if the producer is beyond repair."""
        if self._watch.is_stuck(self._taken, self._delivered_of):
            self._lost = (
                f"nothing was delivered for {STUCK_SECONDS:.0f} s since this machine's clock was "
                "put back; a new producer takes up"
            )
        if self._lost:
            msg = f"journal {self._topic}: {self._lost}"
            raise JournalLostError(msg)

    def is_full(self) -> bool:
        """Tell whether so much waits that no new call should be made."""
        return self._taken_bytes - self._delivered_bytes > WAITING_BYTES

    def close(self) -> None:
        """Write what waits, for at most two seconds; what remains is called again by the next
        life.
        """
        self._producer.flush(2)
        self._closing.set()
        self._poller.join(1)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        self._delivered_bytes += len(message.value() or b"")
        partition = message.partition() or 0
        self._delivered_of[partition] = self._delivered_of.get(partition, 0) + 1
        if error is not None:
            self._failed(error)

    def _noted(self, error: KafkaError | None, message: Message) -> None:
        # Whatever was wrong with a note, the journal is not.
        self._delivered_bytes += len(message.value() or b"")
        if error is not None:
            log.warning("nothing was written to %s: %s", message.topic(), error.str())

    def _failed(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in {
            KafkaError._MSG_TIMED_OUT,
            KafkaError.MSG_SIZE_TOO_LARGE,
        }:
            self._lost = error.str()
        log.warning("journal %s: %s", self._topic, error.str())

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(POLL_SECONDS)


class _ClockWatch:
    """Sees the wall clock be put back, and whether what waited then has been delivered since."""

    def __init__(self) -> None:
        self._next = 0.0
        self._ahead: float | None = None
        # When it was put back, by the other clock, and of the partitions that waited then how much
        # had been delivered.
        self._since = 0.0
        self._waited: dict[int, int] = {}

    def is_stuck(self, taken: Mapping[int, int], delivered: Mapping[int, int]) -> bool:
        """Look once a second. Numbers of records, by partition."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + LOOK_SECONDS
        ahead = time.time() - now
        if self._ahead is not None and ahead < self._ahead - SET_BACK_SECONDS:
            self._since = now
            self._waited = {
                partition: delivered.get(partition, 0)
                for partition, count in taken.items()
                if count != delivered.get(partition, 0)
            }
        self._ahead = ahead
        for partition, count in list(self._waited.items()):
            if delivered.get(partition, 0) != count:
                del self._waited[partition]
        return bool(self._waited) and now - self._since >= STUCK_SECONDS
