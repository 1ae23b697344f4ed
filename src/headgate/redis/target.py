"""Redis as the target of the history: where it stands, and what is written into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from headgate.config.redis import RedisConfig
from headgate.redis.batch import Batch, Policy, script
from headgate.redis.errors import FeedError
from headgate.redis.keys import PartitionKeys, feed_key

if TYPE_CHECKING:
    from headgate.kafka.resumed import Resumed

CHUNK = 1_000

EMPTYING = -1
"""The position of a partition that is being removed, at which no writer is."""

IN_THE_WAY = ("WRONGTYPE", "equal or smaller than")
"""What Redis says of keys of somebody else's, and of streams that have gone on further."""


class Target:
    """What one history topic is fed into. Its methods raise what redis-py raises."""

    def __init__(
        self, client: Any, config: RedisConfig, topic: str, partitions: int, topic_id: str = ""
    ) -> None:
        """Write over a client of `open_redis`. topic_id: Kafka's; "" where it is not known."""
        self._client = client
        self._config = config
        self._topic = topic
        self._topic_id = topic_id
        self.keys = [PartitionKeys(config.prefix, number) for number in range(partitions)]
        self._script = client.register_script(script())
        self._policy = Policy(
            keep_us=round(config.keep.total_seconds() * 1e6),
            keep_entries=config.keep_entries,
            past_us=round(config.past.total_seconds() * 1e6),
        )

    def claim(self) -> None:
        """Note whose history it is; raises FeedError where it is another's."""
        key = feed_key(self._config.prefix)
        # Another one tells a view that all was removed while it read.
        self._client.hsetnx(key, "made", uuid4().hex)
        for name, value in (("topic", self._topic), ("partitions", str(len(self.keys)))):
            self._client.hsetnx(key, name, value)
            kept = (self._client.hget(key, name) or b"").decode()
            if kept != value:
                message = (
                    f"redis.prefix {self._config.prefix!r} holds a history whose {name} is {kept}, "
                    f"not {value}: choose another prefix, or empty it with `headgate redis reset`"
                )
                raise FeedError(message)
        if self._topic_id:
            self._client.hsetnx(key, "topic_id", self._topic_id)
            if (self._client.hget(key, "topic_id") or b"").decode() != self._topic_id:
                message = (
                    f"{self._topic} was removed and made anew since it was fed into Redis: its "
                    "offsets begin again. Empty it with `headgate redis reset`, and start again"
                )
                raise FeedError(message)

    def position(self, partition: int) -> int:
        """Return the offset of the history that comes next into a partition."""
        return int(self._client.hget(self.keys[partition].position, "next_offset") or 0)

    def write(self, batch: Batch, expected: int) -> int:
        """Apply a batch if Redis stands where it is expected to; return where it stands now.

        That is `batch.next_offset`, unless somebody else was there, or it has lost what it had.
        Raises FeedError where keys are in the way.
        """
        from redis import ResponseError

        arguments = batch.arguments(expected, self._policy)
        try:
            stands = int(self._script(keys=batch.names(), args=arguments))
        except ResponseError as error:
            if not any(sign in str(error) for sign in IN_THE_WAY):
                raise
            message = (
                f"what Redis has below {self._config.prefix!r} is not of this history alone "
                f"({error}): choose another redis.prefix, or empty it with `headgate redis reset`"
            )
            raise FeedError(message) from error
        if stands < 0:
            message = "Redis is being emptied (`headgate redis reset`): start again afterwards"
            raise FeedError(message)
        return stands

    def place_in(self, topic: Resumed, partition: int) -> int:
        """Return the offset at which a partition goes on in its topic: what Redis has kept, or, in
        one that has nothing yet, where the topic begins.

        Raises:
            FeedError: it cannot go on there.
        """
        begin = topic.begin(partition)
        if begin:
            self._client.hsetnx(self.keys[partition].position, "next_offset", begin)
        next_offset = self.position(partition)
        fault = topic.fault_of(partition, next_offset, "Redis")
        if fault:
            message = f"{fault} Empty it with `headgate redis reset`, and start again"
            raise FeedError(message)
        return next_offset

    def erase(self) -> None:
        """Remove all that was fed in. A feeder that runs meanwhile writes nothing, and ends."""
        for keys in self.keys:
            self._client.hset(keys.position, "next_offset", EMPTYING)
        self._client.delete(feed_key(self._config.prefix))
        for keys in self.keys:
            while True:
                found = self._client.zrange(keys.instances, 0, CHUNK - 1)
                if not found:
                    break
                self._client.unlink(*(keys.state(address.decode()) for address in found))
                self._client.zrem(keys.instances, *found)
            self._client.unlink(*keys.fixed())
