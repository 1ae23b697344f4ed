"""Reading one partition as of a moment: its newest state, taken back by what it had been."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import Any

from headgate.core.render import rfc3339
from headgate.redis.errors import PastError
from headgate.redis.keys import PartitionKeys
from headgate.redis.seen import Before, Fields, Seen, seen_in, undone

CHUNK = 200
ENTRIES = 1_000

_HEADS = frozenset((b"address", b"turn", b"at_us", b"more"))


class PastReader:
    """One partition as of one moment.

    States are read first and what they had been afterwards: whatever a state has taken in by then,
    its entry is there. Nothing has to stand still meanwhile.
    """

    def __init__(self, client: Any, keys: PartitionKeys, at_us: int) -> None:
        """Read over an asyncio client that hands out bytes."""
        self._client = client
        self._keys = keys
        self._at_us = at_us
        self._past: dict[str, list[Before]] = {}
        self._read_to = b""

    async def instances(self, agent_type: str | None) -> AsyncIterator[Seen]:
        """Yield the instances that had taken a turn by then, ordered by address.

        Raises:
            PastError: Redis does not reach back so far.
        """
        low = f"[{agent_type}/" if agent_type else "-"
        # "0" follows "/" in ASCII: all addresses of the type lie between.
        high = f"({agent_type}0" if agent_type else "+"
        while True:
            names = await self._client.zrange(
                self._keys.instances, low, high, bylex=True, offset=0, num=CHUNK
            )
            if not names:
                return
            for seen in await self._chunk([name.decode() for name in names]):
                yield seen
            low = f"({names[-1].decode()}"

    async def _chunk(self, addresses: list[str]) -> list[Seen]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for address in addresses:
                pipeline.hgetall(self._keys.state(address))
            read: list[Fields] = await pipeline.execute()
        found = dict(zip(addresses, read, strict=True))
        if any(self._is_newer(fields) for fields in read):
            await self._read_past()
        made = []
        for address, fields in found.items():
            then = fields
            if self._is_newer(fields):
                then = undone(fields, self._past.get(address, ()), self._at_us)
            if self._is_newer(then):
                message = (
                    f"Redis cannot tell any more how {address} was at {rfc3339(self._at_us)}: "
                    "redis.past says how far back it reaches. Ask the history service"
                )
                raise PastError(message)
            if b"turn" in then:
                made.append(seen_in(address, then))
        return made

    def _is_newer(self, fields: Fields) -> bool:
        return int(fields.get(b"at_us", 0)) > self._at_us

    async def _read_past(self) -> None:
        """Read what there is of the past since it was last read."""
        if not self._read_to:
            self._read_to = await self._begin()
        while True:
            entries = await self._client.xrange(
                self._keys.past, min=self._read_to, max="+", count=ENTRIES
            )
            for _, fields in entries:
                self._note(fields)
            if entries:
                self._read_to = b"(" + entries[-1][0]
            if len(entries) < ENTRIES:
                return

    async def _begin(self) -> bytes:
        """Return the place before which all turns are of the moment, or earlier."""
        marks = await self._client.zrange(self._keys.marks, 0, -1, withscores=True)
        newest = [int(mark.partition(b":")[2]) for mark, _ in marks]
        at = bisect_right(newest, self._at_us)
        return b"%d-0" % int(marks[at - 1][1]) if at else b"-"

    def _note(self, fields: Fields) -> None:
        address = fields[b"address"].decode()
        before = Before(
            int(fields[b"at_us"]),
            {name: raw for name, raw in fields.items() if name not in _HEADS},
        )
        if before.at_us > self._at_us:
            self._past.setdefault(address, []).append(before)
