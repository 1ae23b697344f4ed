"""What is counted of turns: calls and their latencies, usage and cost. Pure."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from headgate.v1.turn_pb2 import Outcome

_GROWTH = 1.25
"""Latencies are told apart by a quarter: a histogram of 80 numbers spans 1 ms to 15 hours."""


class Series(NamedTuple):
    """Whose usage it is."""

    agent: str
    model: str
    tenant: str = ""


@dataclass(slots=True)
class Spent:
    """Usage of one series in one minute, or of several."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0

    def add(self, other: Spent) -> None:
        """Count another in."""
        self.calls += other.calls
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cost_nanos += other.cost_nanos


@dataclass(slots=True)
class Step:
    """What one agent did in one step, or in several."""

    completed: int = 0
    failed: int = 0
    outputs: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)

    def add(self, other: Step) -> None:
        """Count another in."""
        self.completed += other.completed
        self.failed += other.failed
        self.outputs += other.outputs
        self.codes.update(other.codes)
        self.latencies.update(other.latencies)

    def latency_ms(self, share: float) -> float | None:
        """Return a quantile of the calls' latencies (0.5: the median), milliseconds: within that
        so many were answered, for it is the upper end of their class.
        """
        total = sum(self.latencies.values())
        seen = 0
        for level in sorted(self.latencies):
            seen += self.latencies[level]
            if seen >= share * total:
                return float(_GROWTH ** (level + 0.5))
        return None


def cost_of(outcome: Outcome) -> int:
    """Return what a turn cost, in 1e-9 of the currency: by the prices that are configured, else as
    its provider told.
    """
    priced = outcome.cost_nanos
    return priced or 1_000 * sum(usage.cost_micros for usage in outcome.usage)


def tenant_of(outcome: Outcome) -> str:
    """Return whose turn it was, "" where there are no tenants."""
    return outcome.tenant


def level_of(ms: float) -> int:
    """Return the class of a latency: `Step.latencies` counts by it."""
    return max(0, round(math.log(max(ms, 1.0), _GROWTH)))
