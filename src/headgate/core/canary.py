"""Which instances a revision on trial gets: told by their addresses, and stored nowhere."""

from __future__ import annotations

from functools import lru_cache

from headgate.core.identity import digest
from headgate.v1.turn_pb2 import AgentSpec

WHOLE = 10_000
"""A share of all instances; Canary.share counts in these parts."""

_REMEMBERED = 16_384


def is_canary(spec: AgentSpec, address: str) -> bool:
    """Tell whether an instance's turns go to the canary of its agent type."""
    return place_of(spec.canary.revision, address) < spec.canary.share


@lru_cache(_REMEMBERED)
def place_of(revision: str, address: str) -> int:
    """Return an instance's place among 10,000, another one for each revision: or the same unlucky
    instances would try every one of them.

    >>> place_of("v2", "order/17") == place_of("v2", "order/17") != place_of("v3", "order/17")
    True
    """
    return int.from_bytes(digest("canary", revision, address, size=8), "big") % WHOLE
