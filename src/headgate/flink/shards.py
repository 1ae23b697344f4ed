"""Shards: the instances of one partition of the journal, under one key of Flink's.

Flink hands Gate one record at a time, and each costs as much as a whole turn of the core. Instances
that share a key of Flink's can share a record: Invoke journals what it has at once as one record
per partition, and Gate takes it in one go. So the key is the shard, not the address, and there are
as many as the journal has partitions, for life.

With as many key groups as shards, shard n is key group n, and Flink spreads them evenly.
"""

from __future__ import annotations

from typing import Any

from pyflink.java_gateway import get_gateway


def shard_keys(shards: int) -> tuple[str, ...]:
    """Find a key for each shard that Flink assigns to the key group of the same number.

    They depend on the number of shards alone: a savepoint's are found again.
    """
    jvm: Any = get_gateway().jvm
    group_of = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup
    found: dict[int, str] = {}
    number = 0
    while len(found) < shards:
        key = f"shard-{number}"
        row = jvm.org.apache.flink.types.Row.withPositions(1)
        row.setField(0, key)
        found.setdefault(group_of(row, shards), key)
        number += 1
    return tuple(found[shard] for shard in range(shards))


def shards_of(subtask: int, parallelism: int, shards: int) -> list[int]:
    """Return the shards whose key groups Flink gives to a subtask.

    >>> [shards_of(subtask, 3, 8) for subtask in range(3)]
    [[0, 1, 2], [3, 4, 5], [6, 7]]
    """
    return [shard for shard in range(shards) if shard * parallelism // shards == subtask]
