"""What came of a turn, as it was recorded and as another revision makes it: two of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from headgate.kafka.outcomes import code_name
from headgate.replay.recorded import RecordedTurn
from headgate.sdk.testing import Stored
from headgate.v1.agent_pb2 import Message, Output, TimerChange, Usage
from headgate.v1.turn_pb2 import Failed, Outcome

P = TypeVar("P", Output, Message, TimerChange)

COMPLETED = "completed"


@dataclass(slots=True)
class Came:
    """What came of a turn.

    ``verdict`` is "completed", or which failure, of which event, and whether the instance parks:
    "failed agent_error of e7, parks". ``message`` is the failure's, for people. Outputs, messages
    and timers name the event that caused them by its index in the turn (``cause``).
    """

    stored: Stored
    verdict: str = COMPLETED
    message: str = ""
    outputs: list[Output] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    timers: list[TimerChange] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    revision: str = ""

    def add(self, outcome: Outcome, *, first: int = 0) -> None:
        """Add what an outcome did; ``first``: index in the turn of the first event it took."""
        self.stored = self.stored.apply(outcome.mutations)
        self.outputs.extend(_moved(outcome.outputs, first))
        self.messages.extend(_moved(outcome.messages, first))
        self.timers.extend(_moved(outcome.timers, first))
        self.usage.extend(outcome.usage)
        self.revision = outcome.revision or self.revision

    def fail(self, failed: Failed, event_id: str) -> None:
        """Note a failure; of several the first is the verdict."""
        if self.verdict == COMPLETED:
            parks = ", parks" if failed.park else ""
            self.verdict = f"failed {code_name(failed.code)} of {event_id}{parks}"
            self.message = failed.message


def came_of(turn: RecordedTurn) -> Came:
    """Return what came of a turn when it was recorded.

    Where a batch failed behind its first events, they are the turn: what failed was tried again,
    and is in a later one.
    """
    came = Came(turn.before)
    came.add(turn.outcome)
    failed = turn.outcome.failed
    if failed.HasField("dead_letter"):
        came.fail(failed, turn.outcome.taken[-1].id)
    return came


def _moved(parts: Sequence[P], first: int) -> list[P]:
    if not first:
        return list(parts)
    found = []
    for part in parts:
        moved = type(part)()
        moved.CopyFrom(part)
        moved.cause += first
        found.append(moved)
    return found
