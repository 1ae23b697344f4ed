"""Percentiles and rates of what was measured."""

from collections.abc import Sequence
from typing import Any


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that `share` of the ordered values do not exceed (nearest rank).

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    if not ordered:
        return float("nan")
    rank = max(1, -(-int(share * 1_000_000) * len(ordered) // 1_000_000))
    return ordered[min(rank, len(ordered)) - 1]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p90, p99 and the maximum."""
    ordered = sorted(values)
    return {
        "p50": percentile(ordered, 0.50),
        "p90": percentile(ordered, 0.90),
        "p99": percentile(ordered, 0.99),
        "max": ordered[-1] if ordered else float("nan"),
    }


def of_runs(values: Sequence[float]) -> dict[str, Any]:
    """Return what a few runs gave, each of them included."""
    return {
        "min": min(values),
        "median": median(values),
        "max": max(values),
        "runs": len(values),
        "all": list(values),
    }


def median(values: Sequence[float]) -> float:
    """Return the middle value, the lower of two."""
    return percentile(sorted(values), 0.5)
