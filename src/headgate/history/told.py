"""What a record of the history topic says: a turn, a closed moment, or nothing of Headgate's."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from headgate.core.bounds import fault_of_time
from headgate.core.identity import address_of
from headgate.v1.turn_pb2 import Closed, HistoryRecord

MOST_TURNS = 2**62
"""An instance does not live to see it; a store's columns hold one bit more."""


@dataclass(frozen=True, slots=True)
class Told:
    """A turn."""

    address: str
    partition: int
    record: HistoryRecord

    @property
    def turn(self) -> int:
        """Its number."""
        return self.record.outcome.turn

    @property
    def at_us(self) -> int:
        """Its time, microseconds."""
        return self.record.at_us


def told_in(value: bytes, partition: int) -> Told | Closed | str:
    """Return a turn, a closed moment, or what is wrong with a record. Total: whatever somebody else
    has put into the topic is no more than a sentence.
    """
    try:
        record = HistoryRecord.FromString(value)
    except DecodeError as error:
        return f"it is no HistoryRecord: {error}"
    if record.HasField("closed"):
        closed = record.closed
        if closed.partition != partition:
            return f"it closes partition {closed.partition}, and stands in another"
        return fault_of_time(closed.until_us, "the closed moment") or closed
    outcome = record.outcome
    if not outcome.agent_type or "/" in outcome.agent_type:
        return f"it names no agent type: {outcome.agent_type!r}"
    if not 0 < outcome.turn < MOST_TURNS:
        return f"it is of turn {outcome.turn}"
    if record.at_us <= 0:
        return "it has no time"
    fault = fault_of_time(record.at_us, "the turn's time")
    return fault or Told(address_of(outcome.agent_type, outcome.key), partition, record)
