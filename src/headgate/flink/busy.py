"""How many instances of an agent type have work to do: whoever drains it waits for none."""

from __future__ import annotations

from headgate.core.codec import StateVersionError
from headgate.flink.shard import Shard
from headgate.v1.turn_pb2 import InstanceReport

LOOKED_AT = 10_000
"""Instances looked at for one question, half a second's work where each must be read from RocksDB.
Those that only wait for a timer or for their state to expire are looked at as well."""


def count_busy(shard: Shard, agent_type: str, now_ms: int) -> InstanceReport:
    """Count the instances of a shard with a turn in flight or events that wait.

    A parked one waits for a person, and is not counted.
    """
    made = InstanceReport(address=f"{agent_type}/", now_ms=now_ms)
    # All that have work to do want to be woken some time.
    waiting = shard.waiting_of(frozenset([agent_type]))
    made.truncated = len(waiting) > LOOKED_AT
    for address in waiting[:LOOKED_AT]:
        try:
            control = shard.control_of(address)
        except StateVersionError:
            continue
        if control is None or control.parked:
            continue
        made.busy_instances += (
            control.HasField("in_flight") or control.mailbox_tail > control.mailbox_head
        )
    return made
