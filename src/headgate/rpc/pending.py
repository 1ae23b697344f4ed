"""A call that waits for its answer."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.v1.agent_pb2 import TurnRequest
from headgate.v1.turn_pb2 import Call


@dataclass(slots=True, eq=False)
class Pending:
    """One call under way.

    ``since`` is when its deadline began, seconds of the event loop's clock, which no jump of the
    wall clock moves: its arrival, then its call. ``called_us`` is the wall clock's time of the
    call, microseconds since the epoch, 0 before. ``breaks``: streams that broke under it.
    ``refusals``: how often its service was UNAVAILABLE for it, since ``refused_since``.
    """

    call: Call
    since: float
    called_us: int = 0
    size: int = 0
    breaks: int = 0
    refusals: int = 0
    refused_since: float = 0.0
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
    def deadline(self) -> float:
        """When its deadline passes, seconds of the event loop's clock."""
        return self.since + self.call.request.deadline_ms / 1000
