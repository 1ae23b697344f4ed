"""Following the history topic into a store, for ever: through outages of broker and store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from headgate.bootstrap import Bootstrap
from headgate.errors import HeadgateError
from headgate.history.errors import StoreError
from headgate.history.opening import claim_topic
from headgate.history.store import Position, Read, Store
from headgate.kafka.errors import BrokerUnreachableError
from headgate.kafka.resumed import Resumed
from headgate.sealing.errors import SealError

log = logging.getLogger(__name__)

POLL_RECORDS = 5_000
"""Records of one transaction at most: a larger one writes no faster, and holds up retention."""

RETRY_SECONDS = 1.0
"""A broker or a database that is started again refuses connections for seconds."""


class Follower:
    """Writes what the topic has into the store, in a thread of its own."""

    def __init__(
        self, bootstrap: Bootstrap, topic: str, engine: Engine, on_failure: Callable[[], None]
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
            except (
                BrokerUnreachableError,
                SealError,
                KafkaError,
                SQLAlchemyError,
                OSError,
            ) as error:
                if not self.waits_for:
                    log.warning("the history waits: %s", error)
                self.waits_for = str(error).splitlines()[0] if str(error) else type(error).__name__
                self._stopping.wait(RETRY_SECONDS)

    def _fail(self, error: StoreError) -> None:
        self.failure = error
        self._on_failure()

    def _follow(self) -> None:
        # Made anew after every failure: what the store remembers may not have been written.
        store = Store(self._engine)
        with Resumed(self._bootstrap, self._topic, most_records=POLL_RECORDS) as topic:
            positions = store.positions(topic.partitions)
            if topic.topic_id:
                claim_topic(self._engine, topic.topic_id)
            self._ends = {number: topic.last(number) for number in positions}
            for number in positions:
                self._take_place(topic, number, positions, store)
            while not self._stopping.is_set():
                polled = topic.poll()
                reads = [
                    Read(
                        number,
                        [record.value or b"" for record in polled.get(number, ())],
                        topic.position(number),
                        [record.offset for record in polled.get(number, ())],
                    )
                    for number in positions
                ]
                store.write(reads, positions)
                self.waits_for = ""
                self._note_ends(topic)

    def _take_place(
        self, topic: Resumed, number: int, positions: dict[int, Position], store: Store
    ) -> None:
        if positions[number].next_offset == 0 and topic.begin(number):
            # A fresh store, perhaps of an old topic.
            store.skip(number, topic.begin(number), positions)
        next_offset = positions[number].next_offset
        fault = topic.fault_of(number, next_offset, "the store")
        if fault:
            message = (
                f"{fault} Make it anew from what there is with `headgate history rebuild`, or name "
                "another store"
            )
            raise StoreError(message)
        topic.seek(number, next_offset)

    def _note_ends(self, topic: Resumed) -> None:
        with self._lock:
            for number in range(topic.partitions):
                end = topic.end(number)
                if end is not None:
                    self._ends[number] = end
