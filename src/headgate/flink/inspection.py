"""What a Gate tells of its instances to whoever asks."""

from __future__ import annotations

from headgate.core.codec import StateVersionError
from headgate.core.model import Snapshot
from headgate.core.report import report
from headgate.flink.busy import count_busy
from headgate.flink.shard import Shard
from headgate.v1.turn_pb2 import GateInput, InstanceReport


def inspect(shard: Shard, asked: GateInput, now_ms: int) -> InstanceReport:
    """Answer a question about one instance, or about all of an agent type in a shard."""
    if asked.inspect.agent_type:
        return count_busy(shard, asked.inspect.agent_type, now_ms)
    address = asked.address
    try:
        snapshot = Snapshot(address, shard.control_of(address), shard.items_of(address))
        return report(snapshot, now_ms)
    except StateVersionError as error:
        return InstanceReport(address=address, now_ms=now_ms, problem=str(error))
