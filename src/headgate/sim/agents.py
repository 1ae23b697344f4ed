"""What answers calls in a simulated world: the port, and doubles named by what they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from headgate.v1.agent_pb2 import TurnReply, TurnRequest


class NoAnswer(Enum):
    """What may come of a call instead of a reply."""

    UNAVAILABLE = "unavailable"
    """The service refused or was gone: no outcome, no attempt; Gate sends again."""

    SILENCE = "silence"
    """No reply within the deadline."""


Answer = TurnReply | NoAnswer


class SimAgent(Protocol):
    """An agent type as the simulation calls it."""

    def answer(self, request: TurnRequest) -> Answer:
        """Answer one call. Must not change the request."""

    def takes_ms(self, request: TurnRequest) -> int:
        """How long the call takes, milliseconds of the world's clock."""


@dataclass(slots=True)
class SlowAgent:
    """Answers as another does, but late; over the deadline its answers come to nothing."""

    inner: SimAgent
    ms: int

    def answer(self, request: TurnRequest) -> Answer:
        """Answer as the inner agent."""
        return self.inner.answer(request)

    def takes_ms(self, request: TurnRequest) -> int:
        """Return the delay added to the inner agent's own."""
        return self.ms + self.inner.takes_ms(request)


@dataclass(slots=True)
class FlakyAgent:
    """Is unavailable for the first ``times`` calls of every turn."""

    inner: SimAgent
    times: int = 1
    _calls: dict[bytes, int] = field(default_factory=dict)

    def answer(self, request: TurnRequest) -> Answer:
        """Answer as the inner agent, once it is there."""
        made = self._calls[request.base] = self._calls.get(request.base, 0) + 1
        return self.inner.answer(request) if made > self.times else NoAnswer.UNAVAILABLE

    def takes_ms(self, request: TurnRequest) -> int:
        """Return the inner agent's time."""
        return self.inner.takes_ms(request)


@dataclass(slots=True)
class GarbageAgent:
    """Answers what nobody asked: a base of its own invention."""

    def answer(self, request: TurnRequest) -> Answer:
        """Break the contract."""
        reply = TurnReply(request_id=request.request_id, base=b"\xff" * 16)
        reply.completed.SetInParent()
        return reply

    def takes_ms(self, request: TurnRequest) -> int:
        """Take no time."""
        return 0
