"""Ids that have come of late, so that each counts once.

Minutes are forgotten as a whole, and what is stored is written in runs: an entry for each record
that brought new ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.core.identity import digest

KEPT_MINUTES = 5
"""Beside the one in which the last id came. A producer gives a record up after two minutes at most,
so that its repeat comes no later; the rest is for partitions whose clocks differ. It is the last
that came which are kept, not those of the latest stamps: after one record that a broker stamped
years ahead, every id would be forgotten as it comes.
"""

MOST_IDS = 500_000
"""Remembered at most, oldest forgotten first: 50 MB. 1,600 turns/s of one shard's tenants fill it.
"""

_ID_BYTES = 16
_MINUTE_US = 60_000_000


class Once:
    """Remembers ids of 16 bytes: by partition of the journal, since these are read at different
    speeds after a restore, and within one by the minute of their time.
    """

    def __init__(self, stored: Iterable[tuple[str, bytes]] = ()) -> None:
        """``stored``: entries that `changes` gave, by name."""
        self._partitions: dict[int, dict[int, set[bytes]]] = {}
        self._names: dict[tuple[int, int], list[str]] = {}
        self._count = 0
        self._number = 0
        self._new: dict[tuple[int, int], list[bytes]] = {}
        self._gone: list[str] = []
        # As they came, whatever the order of the store.
        for number, name, raw in sorted((_number_of(name), name, raw) for name, raw in stored):
            partition, minute, _ = map(int, name.split("/"))
            self._number = number + 1
            self._names.setdefault((partition, minute), []).append(name)
            for begin in range(0, len(raw), _ID_BYTES):
                self._add(partition, minute, raw[begin : begin + _ID_BYTES])

    def is_new(self, each: bytes, partition: int, at_us: int) -> bool:
        """Remember an id; False if it was known."""
        if len(each) != _ID_BYTES:
            # Somebody else's. Of another length it would put all that are stored behind it out of
            # place.
            each = digest("id", each)
        minute = at_us // _MINUTE_US
        minutes = self._partitions.setdefault(partition, {})
        if any(each in ids for ids in minutes.values()):
            return False
        is_first = minute not in minutes
        self._add(partition, minute, each)
        self._new.setdefault((partition, minute), []).append(each)
        if is_first:
            self._forget(partition)
        return True

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield what is to be stored, by name, and forget that it was."""
        for (partition, minute), ids in self._new.items():
            name = f"{partition}/{minute}/{self._number}"
            self._number += 1
            self._names.setdefault((partition, minute), []).append(name)
            yield name, b"".join(ids)
        for name in self._gone:
            yield name, None
        self._new, self._gone = {}, []

    def _add(self, partition: int, minute: int, each: bytes) -> None:
        self._partitions.setdefault(partition, {}).setdefault(minute, set()).add(each)
        self._count += 1

    def _forget(self, partition: int) -> None:
        minutes = self._partitions[partition]
        for minute in list(minutes):
            if len(minutes) <= KEPT_MINUTES + 1 and (self._count <= MOST_IDS or len(minutes) == 1):
                return
            self._count -= len(minutes.pop(minute))
            self._gone += self._names.pop((partition, minute), [])
            self._new.pop((partition, minute), None)


def _number_of(name: str) -> int:
    return int(name.rpartition("/")[2])
