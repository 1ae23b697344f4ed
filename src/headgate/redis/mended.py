"""One partition's way into Redis where records come from somebody who keeps another position.

Flink's source goes on where its checkpoint was, which says nothing of Redis: that may be behind,
for what was on its way when an operator died, or what Redis lost with its last second. What is
missing is then read again from the topic itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from headgate.redis.batch import Record, batches
from headgate.redis.target import Target

log = logging.getLogger(__name__)

Reread = Callable[[int, int, int], Iterable[Sequence[Record]]]
"""Partition, first offset and the one after the last, to records in their order. Raises FeedError
where the topic does not hold the first any more."""


class MendedLane:
    """Writes what comes for one partition, and what is missing before it."""

    def __init__(self, target: Target, partition: int, reread: Reread) -> None:
        """Ask Redis where it stands."""
        self._target = target
        self._partition = partition
        self._reread = reread
        self._next = target.position(partition)
        # Whether Redis has all that is before what comes next.
        self._is_level = False

    def write(self, records: Sequence[Record]) -> None:
        """Write records that follow each other; raises what redis-py raises, and FeedError."""
        while records:
            while not self._is_level:
                self._catch_up(records[0].offset)
            records = self._applied(records)

    def _catch_up(self, until: int) -> None:
        # What stands between may be marks of transactions alone: then there is nothing to read.
        if self._next < until:
            for missing in self._reread(self._partition, self._next, until):
                if self._applied(missing):
                    # It has moved meanwhile: begin again from where it stands.
                    return
        self._is_level = True

    def _applied(self, records: Sequence[Record]) -> Sequence[Record]:
        """Write records; return those that are still to be written, where Redis fell behind."""
        wanted = [record for record in records if record.offset >= self._next]
        for batch in batches(self._target.keys[self._partition], wanted):
            for fault in batch.skipped:
                log.warning("left out: partition %d, %s", self._partition, fault)
            self._next = self._target.write(batch, self._next)
            if self._next < batch.next_offset:
                log.warning("partition %d: Redis is back at %d", self._partition, self._next)
                if not self._next:
                    # Somebody has emptied it.
                    self._target.claim()
                self._is_level = False
                return records
            if self._next > batch.next_offset:
                # Another feeder is at work: what it has written is not ours to write.
                return [record for record in records if record.offset >= self._next]
        return ()
