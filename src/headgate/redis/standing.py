"""How far Redis is behind the history, for people."""

from __future__ import annotations

from typing import Any

from headgate.config.redis import RedisConfig
from headgate.core.render import rfc3339
from headgate.kafka.resumed import Resumed
from headgate.redis.connect import open_redis, reaching, shown
from headgate.redis.keys import PartitionKeys


def standing(bootstrap: str, topic: str, config: RedisConfig) -> dict[str, Any]:
    """Return where each partition stands, and sums.

    Raises:
        BrokerUnreachableError, UnknownTopicError, RedisUnreachableError.
    """
    with Resumed(bootstrap, topic, most_records=1) as history:
        ends = [history.last(partition) for partition in range(history.partitions)]
    client = open_redis(config.url, cluster=config.cluster)
    with reaching(config.url):
        partitions = [
            _partition(client, PartitionKeys(config.prefix, number), end)
            for number, end in enumerate(ends)
        ]
    return {
        "redis": shown(config.url),
        "prefix": config.prefix,
        "topic": topic,
        "instances": sum(each.pop("instances") for each in partitions),
        "behind": sum(each["behind"] for each in partitions),
        "closed": min((each["closed"] for each in partitions), default=""),
        "partitions": partitions,
    }


def _partition(client: Any, keys: PartitionKeys, end: int) -> dict[str, Any]:
    read = client.hmget(keys.position, "next_offset", "closed_us")
    next_offset, closed_us = (int(each or 0) for each in read)
    return {
        "partition": keys.partition,
        "next_offset": next_offset,
        "end_offset": end,
        # Marks of transactions have offsets, and are nothing to be read.
        "behind": max(0, end - next_offset),
        "closed": rfc3339(closed_us) if closed_us else "",
        "changes": client.xlen(keys.changes),
        "outputs": client.xlen(keys.outputs),
        "instances": client.zcard(keys.instances),
    }
