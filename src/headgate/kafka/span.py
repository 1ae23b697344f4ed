"""Reading a span of one partition, from an offset to an offset, as programs do that check."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from headgate.bootstrap import Bootstrap
from headgate.errors import HeadgateError
from headgate.kafka.connect import open_consumer

if TYPE_CHECKING:
    from kafka import TopicPartition

POLL_MS = 300
# A running job commits with each checkpoint; what is open for longer will stay so.
SETTLE_SECONDS = 15.0
SILENCE_SECONDS = 60.0


class OpenTransactionsError(HeadgateError):
    """Open transactions hide what is behind them from readers of the committed.

    Operator action: if the job is gone, `headgate job release`; if it runs, wait for its next
    checkpoint. Then try again.
    """


class Spans:
    """Reads spans of partitions. `is_read_committed`: what was aborted, or is open, is not seen."""

    def __init__(self, bootstrap: Bootstrap, *, is_read_committed: bool) -> None:
        self._bootstrap = bootstrap
        self._consumer = open_consumer(
            bootstrap,
            isolation_level="read_committed" if is_read_committed else "read_uncommitted",
            auto_offset_reset="none",
        )

    def begin(self, topic: str, partition: int) -> int:
        """Return the first offset that the log still holds."""
        place = _place(topic, partition)
        return int(self._consumer.beginning_offsets([place])[place])

    def end(self, topic: str, partition: int) -> int:
        """Return where the log ends; under read_committed, where the first open transaction is."""
        place = _place(topic, partition)
        return int(self._consumer.end_offsets([place])[place])

    def offset_at(self, topic: str, partition: int, ms: int) -> int:
        """Return the first offset with a timestamp not before `ms`; the end if there is none."""
        place = _place(topic, partition)
        found = self._consumer.offsets_for_times({place: max(0, ms)})[place]
        return self.end(topic, partition) if found is None else int(found.offset)

    def records(self, topic: str, partition: int, begin: int, end: int) -> Iterator[Any]:
        """Yield kafka-python's records with offsets from `begin` to below `end`."""
        place = _place(topic, partition)
        begin = max(begin, self.begin(topic, partition))
        if begin >= end:
            return
        self._consumer.assign([place])
        self._consumer.seek(place, begin)
        moved, position = time.monotonic(), begin
        while position < end:
            for record in self._consumer.poll(POLL_MS).get(place, []):
                if record.offset >= end:
                    return
                yield record
            now = int(self._consumer.position(place))
            if now > position:
                moved, position = time.monotonic(), now
            elif time.monotonic() - moved > SILENCE_SECONDS:
                message = f"{topic}/{partition} cannot be read beyond {position}, it ends at {end}"
                raise HeadgateError(message)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def await_settled(
    bootstrap: Bootstrap, topics: Sequence[str], partitions: int, seconds: float = SETTLE_SECONDS
) -> None:
    """Wait until readers of the committed see all that is in the topics now.

    Raises:
        OpenTransactionsError: a transaction stays open.
    """
    places = [_place(topic, number) for topic in topics for number in range(partitions)]
    with (
        Spans(bootstrap, is_read_committed=False) as all_of_it,
        Spans(bootstrap, is_read_committed=True) as committed,
    ):
        ends: dict[TopicPartition, int] = all_of_it._consumer.end_offsets(places)
        deadline = time.monotonic() + seconds
        while True:
            stable = committed._consumer.end_offsets(places)
            hidden = [place for place in places if stable[place] < ends[place]]
            if not hidden:
                return
            if time.monotonic() > deadline:
                names = ", ".join(sorted({place.topic for place in hidden}))
                message = (
                    f"open transactions hide the end of {names}. If the job is gone, end them with "
                    "`headgate job release`; if it runs, its next checkpoint does. Then try again."
                )
                raise OpenTransactionsError(message)
            time.sleep(POLL_MS / 1_000)


def _place(topic: str, partition: int) -> TopicPartition:
    from kafka import TopicPartition

    return TopicPartition(topic, partition)
