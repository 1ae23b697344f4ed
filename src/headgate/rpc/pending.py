"""A call that waits for its answer."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.v1.agent_pb2 import TurnRequest
from headgate.v1.turn_pb2 import Call


@dataclass(slots=True, eq=False)
class Pending:
    """One call under way. Times are microseconds since the epoch, 0 while it has not been
    called.
    """

    call: Call
    taken_us: int
    called_us: int = 0
    size: int = 0
    breaks: int = 0
    is_done: bool = False

    @property
    def request(self) -> TurnRequest:
        """What the service is sent."""
        return self.call.request

    @property
    def name(self) -> bytes:
        """Names the call: the same for re-sends, another for every base and attempt."""
        return self.call.request.request_id

    @property
    def deadline_us(self) -> int:
        """When its deadline passes, counted from the call, or from its arrival before that."""
        return (self.called_us or self.taken_us) + self.call.request.deadline_ms * 1000
