"""`View`: what other agents know, read from Redis within a millisecond.

    view = View("redis://localhost:6379")
    order = await view.get("order/17")
    order.value("status")

What is promised, and what is not, stands in docs/guarantees.md.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from headgate.core.identity import partition_of, split_address
from headgate.core.render import rfc3339
from headgate.redis.connect import reaching
from headgate.redis.errors import FeedError, NotYetError, PastError
from headgate.redis.keys import PartitionKeys, feed_key
from headgate.redis.past import PastReader
from headgate.redis.seen import Fields, Seen, seen_in

__all__ = ["NotYetError", "PastError", "Seen", "View"]

REMEMBERED = 100_000
"""Instances of which a view knows how new it has seen them; about 20 MB when full."""

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.1
# A turn is in Redis some ten milliseconds after the checkpoint that commits it to the history.
WAIT_SECONDS = 5.0
ANSWER_SECONDS = 2.0

T = TypeVar("T")


class View:
    """Reads instances' states from Redis, in one asyncio loop.

    It never goes back: what a view has once shown of an instance, it shows or waits for from then
    on, whichever server answers.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "headgate",
        cluster: bool = False,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Describe it; the first question connects. url, prefix, cluster: as in headgate.toml's
        [redis]. answer_seconds: how long Redis may take for one answer.
        """
        import redis.asyncio

        settings: dict[str, Any] = {
            "socket_connect_timeout": answer_seconds,
            "socket_timeout": answer_seconds,
            "protocol": 3,
        }
        opening: Callable[..., Any] = (
            redis.asyncio.RedisCluster.from_url if cluster else redis.asyncio.Redis.from_url
        )
        self._url = url
        self._prefix = prefix
        with reaching(url):
            self._client = opening(url, **settings)
        self._partitions: list[PartitionKeys] = []
        self._newest: OrderedDict[str, int] = OrderedDict()
        # The newest moment of a snapshot; there is none before the first.
        self._shown_us = 1

    async def get(
        self, address: str, *, at_least: int = 0, wait_seconds: float = WAIT_SECONDS
    ) -> Seen:
        """Return an instance's newest state that Redis has.

        at_least: a turn that it must have taken, waited for if need be: that of an answer or of an
            own write that is to be seen.

        Raises:
            NotYetError: it does not come in time.
            RedisUnreachableError, FeedError.
        """
        keys = await self._keys_of(address)
        deadline = asyncio.get_running_loop().time() + wait_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            fields = await self._asked(self._client.hgetall(keys.state(address)))
            seen = self._read(address, fields)
            # Afterwards: another of this view's questions may have had its answer meanwhile.
            wanted = max(at_least, self._newest.get(address, 0))
            if seen.turn >= wanted:
                self._remember(address, seen.turn)
                return seen
            if asyncio.get_running_loop().time() + pause > deadline:
                message = (
                    f"{address} is at turn {seen.turn} in Redis, turn {wanted} did not come within "
                    f"{wait_seconds:g} s"
                )
                raise NotYetError(message)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def closed(self) -> datetime:
        """Return until when all is known: the newest moment that `snapshot` answers."""
        return _time_of(await self._closed_us())

    async def snapshot(
        self,
        as_of: datetime | None = None,
        *,
        agent_type: str | None = None,
        wait_seconds: float = WAIT_SECONDS,
    ) -> AsyncIterator[Seen]:
        """Yield all instances as of one moment: a causally consistent cut, the same whenever it is
        asked for.

        as_of: with a time zone; None: the newest closed moment. agent_type: of these alone.
        wait_seconds: for a moment that is not closed yet.

        Raises:
            PastError: the moment is not closed in time, or further back than redis.past.
            RedisUnreachableError, FeedError.
        """
        # Without a moment, the newest closed one, and never an earlier one than before.
        await self._await_closed(self._shown_us if as_of is None else _us_of(as_of), wait_seconds)
        at_us = await self._closed_us() if as_of is None else _us_of(as_of)
        self._shown_us = max(self._shown_us, at_us)
        made = await self._made()
        for keys in await self._all_keys():
            reader = PastReader(self._client, keys, at_us)
            with reaching(self._url):
                async for seen in reader.instances(agent_type):
                    yield seen
            if await self._made() != made:
                message = "all that was in Redis was removed while the snapshot was read"
                raise PastError(message)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _await_closed(self, at_us: int, wait_seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while (closed_us := await self._closed_us()) < at_us:
            if asyncio.get_running_loop().time() > deadline:
                until = rfc3339(closed_us) if closed_us else "no moment"
                asked = rfc3339(at_us) if at_us > 1 else "the first moment"
                message = f"{asked} is not closed yet: Redis knows all until {until}"
                raise PastError(message)
            await asyncio.sleep(LONGEST_PAUSE_SECONDS)

    async def _made(self) -> bytes | None:
        """Return what names all that was fed in since it was last removed."""
        return await self._asked(self._client.hget(feed_key(self._prefix), "made"))

    async def _closed_us(self) -> int:
        closed = [
            await self._asked(self._client.hget(keys.position, "closed_us"))
            for keys in await self._all_keys()
        ]
        return min(int(until or 0) for until in closed)

    async def _keys_of(self, address: str) -> PartitionKeys:
        agent_type, _ = split_address(address)
        if not agent_type or "/" not in address:
            message = f"{address!r} is no address: write TYPE/KEY"
            raise FeedError(message)
        partitions = await self._all_keys()
        return partitions[partition_of(address.encode(), len(partitions))]

    async def _all_keys(self) -> list[PartitionKeys]:
        if not self._partitions:
            count = await self._asked(self._client.hget(feed_key(self._prefix), "partitions"))
            if count is None:
                message = (
                    f"nothing was ever fed into Redis below {self._prefix!r}: start "
                    "`headgate redis feed`, or name the prefix of headgate.toml's [redis]"
                )
                raise FeedError(message)
            self._partitions = [PartitionKeys(self._prefix, n) for n in range(int(count))]
        return self._partitions

    async def _asked(self, answer: Coroutine[Any, Any, T]) -> T:
        with reaching(self._url):
            return await answer

    def _read(self, address: str, fields: Fields) -> Seen:
        try:
            return seen_in(address, fields)
        except (ValueError, KeyError) as error:
            message = f"what Redis has of {address} was written by somebody else: {error!r}"
            raise FeedError(message) from error

    def _remember(self, address: str, turn: int) -> None:
        self._newest[address] = turn
        self._newest.move_to_end(address)
        if len(self._newest) > REMEMBERED:
            self._newest.popitem(last=False)


def _us_of(moment: datetime) -> int:
    if moment.tzinfo is None:
        message = f"{moment} has no time zone: write datetime.now(UTC), say"
        raise PastError(message)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _time_of(at_us: int) -> datetime:
    seconds, microseconds = divmod(at_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
