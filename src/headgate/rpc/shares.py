"""What each tenant may have of an agent type: weights and rates, by the newest terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from headgate.v1.cost_pb2 import Terms


@dataclass(frozen=True, slots=True)
class ShareOf:
    """A tenant's part. ``weight``: its calls to those of others, as this is to theirs. ``rate``:
    calls of an agent type begun per second in the long run, 0 for no bound.
    """

    weight: int = 1
    rate: float = 0.0


MOST_RATE = 1e9
"""Calls per second that no machine makes."""

NO_SHARES: Mapping[str, ShareOf] = MappingProxyType({})
"""Nobody is named: all have the same."""


def shares_of(terms: Terms) -> Mapping[str, ShareOf]:
    """Return the shares that terms name. Tenants that are not named have a weight of 1 and no rate.

    >>> from headgate.v1.cost_pb2 import Share
    >>> shares_of(Terms(tenants={"acme": Share(weight=3)}))["acme"]
    ShareOf(weight=3, rate=0.0)
    """
    return {
        # Whoever writes to the registry may write infinity, and no clock can count with that.
        name: ShareOf(share.weight or 1, min(max(0.0, share.rate), MOST_RATE))
        for name, share in terms.tenants.items()
    }
