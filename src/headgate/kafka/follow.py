"""Following several topics at once, for ever, through every outage of the broker.

`Tail` is for people, who want to hear of an outage; `Following` is for programs that wait for
records: it reconnects and goes on where it was, without losing or repeating one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

from headgate.bootstrap import Bootstrap
from headgate.errors import HeadgateError
from headgate.kafka.connect import open_consumer
from headgate.kafka.errors import UnknownTopicError
from headgate.sealing.errors import SealError

log = logging.getLogger(__name__)

POLL_MS = 100
# A broker that is being restarted refuses connections for seconds.
RETRY_SECONDS = 0.2
# A topic that nobody has made yet comes with a job: who waits for it is in no hurry.
MISSING_SECONDS = 2.0


class Following:
    """Hands each committed record of some topics to `on_record`, in one thread.

    >>> with Following("127.0.0.1:9092", ["headgate.outbox"], print) as reader:  # doctest: +SKIP
    ...     reader.await_ready(10)
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        topics: Sequence[str],
        on_record: Callable[[Any], None],
        *,
        start: Literal["start", "end"] | int = "end",
        shows_sealed: bool = False,
    ) -> None:
        """Start following. `on_record` gets kafka-python's records and must not raise.

        shows_sealed: see `connect.open_consumer`; without it, nothing is handed on until the key
        is there.

        start: a number is a time, milliseconds since the epoch: what was appended then or later.
        """
        self._bootstrap = bootstrap
        self._topics = topics
        self._on_record = on_record
        self._start = start
        self._shows_sealed = shows_sealed
        self._positions: dict[Any, int] = {}
        # What kept it from reading last.
        self._problem = ""
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="headgate-following", daemon=True)
        self._thread.start()

    def await_ready(self, seconds: float) -> None:
        """Wait until its places are fixed: what is written from now on is seen."""
        if not self._ready.wait(seconds):
            why = f": {self._problem}" if self._problem else ""
            message = f"{', '.join(self._topics)} could not be read within {seconds:.0f} s{why}"
            raise HeadgateError(message)

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        from kafka.errors import KafkaError

        while not self._stopping.is_set():
            try:
                self._follow()
            except (HeadgateError, KafkaError, OSError) as error:
                if isinstance(error, SealError) and str(error) != self._problem:
                    log.warning("%s", error)
                self._problem = str(error)
                is_missing = isinstance(error, UnknownTopicError)
                self._stopping.wait(MISSING_SECONDS if is_missing else RETRY_SECONDS)

    def _follow(self) -> None:
        consumer = open_consumer(
            self._bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            shows_sealed=self._shows_sealed,
        )
        try:
            self._take_places(consumer)
            while not self._stopping.is_set():
                for place, records in consumer.poll(POLL_MS).items():
                    for record in records:
                        self._on_record(record)
                    self._positions[place] = records[-1].offset + 1
        finally:
            consumer.close()

    def _take_places(self, consumer: Any) -> None:
        from kafka import TopicPartition

        if not self._positions:
            places = [
                TopicPartition(topic, number)
                for topic in self._topics
                for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            if not places:
                message = f"there is no topic {', '.join(self._topics)} at {self._bootstrap} yet"
                raise UnknownTopicError(message)
            self._positions = self._beginning(consumer, places)
        consumer.assign(list(self._positions))
        for place, position in self._positions.items():
            consumer.seek(place, position)
        self._ready.set()

    def _beginning(self, consumer: Any, places: list[Any]) -> dict[Any, int]:
        if self._start == "start":
            found: dict[Any, int] = consumer.beginning_offsets(places)
            return found
        ends: dict[Any, int] = consumer.end_offsets(places)
        if self._start == "end":
            return ends
        # None where nothing is so young.
        since = consumer.offsets_for_times(dict.fromkeys(places, self._start))
        return {place: since[place].offset if since.get(place) else ends[place] for place in places}
