"""What calls took, used and cost, summed up for those who count it.

Whoever makes outcomes has their numbers at hand. Whoever reads them in Gate's place, a thousand a
second on its one thread, would look each of them up once more: that took a fiftieth of a turn.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from headgate.v1.turn_pb2 import AgentCalls, CallsMade, Outcome

CALL_BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
"""Upper bounds of the buckets of calls' latency: from a rule that computes to a model that thinks.
Each is one series per agent type."""

MODEL_CHARS = 80
"""Of a model's name: in metrics it is a label, and one of a megabyte would be in every scrape."""

MOST_TOKENS = (1 << 64) - 1
MOST_NANOS = (1 << 63) - 1
"""Sums of what agents say, which may be anything, stop there."""

UNBOUNDED_MS = (1 << 31) - 1
"""What took longer than the last bound is told as within this."""

_WITHIN_MS = (*CALL_BOUNDS_MS, UNBOUNDED_MS)


def calls_made(outcomes: Iterable[Outcome]) -> CallsMade:
    """Sum up the calls of outcomes; decisions, which took none, are left out.

    >>> one = Outcome(agent_type="order", called_us=1, answered_us=20_001)
    >>> [made] = calls_made([one, one]).agents
    >>> made.within_ms, made.calls, made.took_ms
    ([25], [2], 40)
    """
    of_type: dict[str, _Sums] = {}
    for outcome in outcomes:
        called_us, nanos, told = outcome.called_us, outcome.cost_nanos, outcome.usage
        if not (called_us or nanos or told):
            continue
        name = outcome.agent_type
        sums = of_type.get(name) or of_type.setdefault(name, _Sums())
        if called_us:
            # The clock may have been set back between the two.
            took_ms = max(0, (outcome.answered_us - called_us) // 1_000)
            within_ms = _WITHIN_MS[bisect_left(CALL_BOUNDS_MS, took_ms)]
            sums.within[within_ms] = sums.within.get(within_ms, 0) + 1
            sums.took_ms += took_ms
        if nanos:
            tenant = outcome.tenant
            sums.costs[tenant] = sums.costs.get(tenant, 0) + nanos
        for usage in told:
            model = usage.model[:MODEL_CHARS]
            used = sums.tokens.setdefault(model, [0, 0])
            used[0] += usage.input_tokens
            used[1] += usage.output_tokens
    made = CallsMade()
    for name, sums in of_type.items():
        sums.say(name, made.agents.add())
    return made


class _Sums:
    """Of one agent type's calls: in plain numbers, for a message's fields take twice as long."""

    __slots__ = ("costs", "tokens", "took_ms", "within")

    def __init__(self) -> None:
        # Calls by the bound of their class.
        self.within: dict[int, int] = {}
        self.took_ms = 0
        # By tenant, and by model: of input and of output.
        self.costs: dict[str, int] = {}
        self.tokens: dict[str, list[int]] = {}

    def say(self, name: str, calls: AgentCalls) -> None:
        """Fill a message."""
        calls.agent_type = name
        calls.within_ms.extend(self.within)
        calls.calls.extend(self.within.values())
        calls.took_ms = min(self.took_ms, MOST_NANOS)
        for tenant, nanos in self.costs.items():
            calls.costs[tenant] = min(nanos, MOST_NANOS)
        for model, (of_input, of_output) in self.tokens.items():
            calls.usage.add(
                model=model,
                input_tokens=min(of_input, MOST_TOKENS),
                output_tokens=min(of_output, MOST_TOKENS),
            )
