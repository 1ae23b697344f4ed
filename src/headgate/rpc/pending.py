"""A call that waits for its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from headgate.v1.agent_pb2 import TurnReply, TurnRequest
from headgate.v1.turn_pb2 import Call


class Owner(Protocol):
    """Who is told what becomes of a call that was put to an endpoint: one of these, once."""

    def answered(self, pending: Pending, reply: TurnReply) -> None:
        """It was answered, or failed."""

    def given_back(self, pending: Pending) -> None:
        """The service went away under it: it may be put to any endpoint again."""

    def refused(self, pending: Pending) -> None:
        """The service would not take it now: it may be put to any endpoint after a pause."""

    def dropped(self, pending: Pending) -> None:
        """It was given up unsent, and cost nothing."""


@dataclass(slots=True, eq=False)
class Pending:
    """One call under way.

    ``began`` is when it was put to an endpoint and ``expires`` when its deadline passes, counted
    from its arrival, then from its call: seconds of the event loop's clock, which no jump of the
    wall clock moves. ``called_us`` is the wall clock's time of the call, microseconds since the
    epoch, 0 before. ``size``: bytes of the request. ``tries``: how often it was put to
    an endpoint. ``breaks``: connections that broke under it.
    ``refusals``: how often its service was UNAVAILABLE for it, since ``refused_since``.
    ``is_heard``: the service has said something on it, though it is not done.
    """

    call: Call
    owner: Owner
    name: bytes = field(init=False)
    """Names the call: the same for re-sends, another for every base and attempt."""

    size: int = field(init=False)
    tenant: str = field(init=False)
    """Who pays for it, and so whose share of the agent type it is."""

    deadline_seconds: float = field(init=False)
    expires: float = 0.0
    began: float = 0.0
    called_us: int = 0
    tries: int = 0
    breaks: int = 0
    refusals: int = 0
    refused_since: float = 0.0
    is_sent: bool = False
    is_heard: bool = False
    is_done: bool = False

    def __post_init__(self) -> None:
        """Read what is asked for again and again: each read of a message's field costs."""
        request = self.call.request
        self.name = request.request_id
        self.size = request.ByteSize()
        self.tenant = self.call.tenant
        self.deadline_seconds = request.deadline_ms / 1000

    @property
    def request(self) -> TurnRequest:
        """What the service is sent."""
        return self.call.request
