"""A lane: the calls of one tenant that wait for an agent type, and where it stands among others."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from headgate.rpc.bucket import TokenBucket


class Waiting(Protocol):
    """A call that waits: who pays for it, and its bytes."""

    @property
    def tenant(self) -> str:
        """Name of the tenant; empty where the agent type has none."""

    @property
    def size(self) -> int:
        """Bytes that it holds."""


C = TypeVar("C", bound=Waiting)


@dataclass(slots=True, eq=False)
class Lane(Generic[C]):
    """One tenant's calls, first come first.

    ``held`` are calls that pause and come back: they have bytes, but no claim to be next.
    ``size``: bytes of both. ``bucket``: what the tenant's rate allows, None without one.
    ``start`` is the virtual time at which its next call is due to begin (``headgate.rpc.race``).
    ``number`` names the one entry of a heap that counts; older ones are passed over.
    """

    tenant: str
    weight: int
    bucket: TokenBucket | None = None
    calls: deque[C] = field(default_factory=deque)
    held: dict[C, None] = field(default_factory=dict)
    size: int = 0
    start: int = 0
    number: int = 0
    competes: bool = False

    @property
    def load(self) -> float:
        """Bytes beyond the next call's, for each unit of weight: who has most is over its share.

        One call is everybody's: else a light tenant would never get into a queue of fewer calls
        than there are units of weight.
        """
        return (self.size - self.calls[0].size if self.calls else self.size) / self.weight
