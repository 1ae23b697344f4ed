"""How far Redis is behind the history, for people."""

from __future__ import annotations

from typing import Any

from headgate.bootstrap import Bootstrap
from headgate.config.redis import RedisConfig
from headgate.core.render import rfc3339
from headgate.kafka.resumed import Resumed
from headgate.redis.connect import open_redis, reaching, shown
from headgate.redis.keys import PartitionKeys

COUNTED = 1_000
"""Records at most that are read to be counted."""


def standing(bootstrap: Bootstrap, topic: str, config: RedisConfig) -> dict[str, Any]:
    """Return where each partition stands, and sums.

    Raises:
        BrokerUnreachableError, UnknownTopicError, RedisUnreachableError.
    """
    client = open_redis(config.url, cluster=config.cluster)
    with Resumed(bootstrap, topic, most_records=COUNTED) as history, reaching(config.url):
        partitions = [
            _partition(client, PartitionKeys(config.prefix, number), history)
            for number in range(history.partitions)
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


def _partition(client: Any, keys: PartitionKeys, history: Resumed) -> dict[str, Any]:
    read = client.hmget(keys.position, "next_offset", "closed_us")
    next_offset, closed_us = (int(each or 0) for each in read)
    # Redis may have gone on since the topic was looked at.
    end = max(history.last(keys.partition), next_offset)
    return {
        "partition": keys.partition,
        "next_offset": next_offset,
        "end_offset": end,
        "behind": _behind(history, keys.partition, next_offset, end),
        "closed": rfc3339(closed_us) if closed_us else "",
        "changes": client.xlen(keys.changes),
        "outputs": client.xlen(keys.outputs),
        "instances": client.zcard(keys.instances),
    }


def _behind(history: Resumed, partition: int, next_offset: int, end: int) -> int:
    """Return how many records are still to come; where there are many, with marks of transactions,
    which have offsets and are nothing to be read.
    """
    begin = max(next_offset, history.begin(partition))
    if not 0 < end - begin <= COUNTED:
        return max(0, end - begin)
    history.only(partition, begin)
    found = 0
    while history.position(partition) < end:
        found += sum(each.offset < end for each in history.poll().get(partition, ()))
    return found
