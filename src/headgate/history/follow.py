"""Following the history topic into a store, for ever: through outages of broker and store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from headgate.errors import HeadgateError
from headgate.history.errors import StoreError
from headgate.history.store import Position, Read, Store
from headgate.kafka.connect import open_consumer
from headgate.kafka.errors import BrokerUnreachableError
from headgate.kafka.publish import count_partitions

log = logging.getLogger(__name__)

POLL_MS = 100
POLL_RECORDS = 5_000
"""Records of one transaction at most: a larger one writes no faster, and holds up retention."""

RETRY_SECONDS = 1.0
"""A broker or a database that is started again refuses connections for seconds."""


class Follower:
    """Writes what the topic has into the store, in a thread of its own."""

    def __init__(
        self, bootstrap: str, topic: str, engine: Engine, on_failure: Callable[[], None]
    ) -> None:
        """Start following, from where the store is. `on_failure` is called, in its thread, when
        it cannot go on, and `failure` says why.
        """
        self._bootstrap = bootstrap
        self._topic = topic
        self._engine = engine
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._ends: dict[int, int] = {}
        # Why it cannot go on; None while it does.
        self.failure: HeadgateError | None = None
        # Why it waits; "" while it reads.
        self.waits_for = ""
        self._thread = threading.Thread(target=self._run, name="headgate-history", daemon=True)
        self._thread.start()

    def ends(self) -> dict[int, int]:
        """Return where each partition ended when it was last looked at."""
        with self._lock:
            return dict(self._ends)

    def close(self) -> None:
        """Stop following; what is not written will be read again."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        from kafka.errors import KafkaError

        while not self._stopping.is_set():
            try:
                self._follow()
            except StoreError as error:
                self._fail(error)
                return
            except IntegrityError as error:
                # Never seen; whatever it is, trying again brings it again.
                self._fail(StoreError(f"the store refuses what the topic has: {error.orig}"))
                return
            except (BrokerUnreachableError, KafkaError, SQLAlchemyError, OSError) as error:
                if not self.waits_for:
                    log.warning("the history waits: %s", error)
                self.waits_for = str(error).splitlines()[0] if str(error) else type(error).__name__
                self._stopping.wait(RETRY_SECONDS)

    def _fail(self, error: StoreError) -> None:
        self.failure = error
        self._on_failure()

    def _follow(self) -> None:
        from kafka import TopicPartition

        count = count_partitions(self._bootstrap, self._topic)
        # Made anew after every failure: what the store remembers may not have been written.
        store = Store(self._engine)
        positions = store.positions(count)
        consumer = open_consumer(
            self._bootstrap,
            isolation_level="read_committed",
            # Where the topic has lost what comes next, it says so instead of going on elsewhere.
            auto_offset_reset="none",
            max_poll_records=POLL_RECORDS,
        )
        try:
            places = [TopicPartition(self._topic, number) for number in range(count)]
            self._check_begins(consumer, places, positions, store)
            consumer.assign(places)
            for place in places:
                consumer.seek(place, positions[place.partition].next_offset)
            while not self._stopping.is_set():
                polled = consumer.poll(POLL_MS)
                reads = [
                    Read(
                        place.partition,
                        [record.value or b"" for record in polled.get(place, ())],
                        consumer.position(place),
                        [record.offset for record in polled.get(place, ())],
                    )
                    for place in places
                ]
                store.write(reads, positions)
                self.waits_for = ""
                self._note_ends(consumer, places)
        finally:
            consumer.close()

    def _check_begins(
        self, consumer: Any, places: list[Any], positions: dict[int, Position], store: Store
    ) -> None:
        begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        self._ends = {place.partition: end for place, end in ends.items()}
        for place in places:
            position = positions[place.partition]
            begin, end, next_offset = begins[place], ends[place], position.next_offset
            if next_offset == 0:
                # A fresh store, perhaps of an old topic.
                if begin:
                    store.skip(place.partition, begin, positions)
            elif next_offset < begin:
                message = (
                    f"{self._topic}/{place.partition}: the store has read up to offset "
                    f"{next_offset}, the topic begins at {begin}: what was between is lost to it. "
                    "Make it anew from what there is with `headgate history rebuild`"
                )
                raise StoreError(message)
            elif next_offset > end:
                message = (
                    f"{self._topic}/{place.partition}: the store has read up to offset "
                    f"{next_offset}, the topic ends at {end}: it is another one. Name another "
                    "store, or make it anew with `headgate history rebuild`"
                )
                raise StoreError(message)

    def _note_ends(self, consumer: Any, places: list[Any]) -> None:
        with self._lock:
            for place in places:
                mark = consumer.highwater(place)
                if mark is not None:
                    self._ends[place.partition] = mark
