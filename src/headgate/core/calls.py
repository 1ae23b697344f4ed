"""What calls took, used and cost, summed up for those who count it.

Whoever makes outcomes has their numbers at hand. Whoever reads them in Gate's place, a thousand a
second on its one thread, would look each of them up once more: that took a fiftieth of a turn.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from headgate.v1.agent_pb2 import Usage
from headgate.v1.turn_pb2 import AgentCalls, CallsMade, Outcome

CALL_BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
"""Upper bounds of the buckets of calls' latency: from a rule that computes to a model that thinks.
Each is one series per agent type. Other bounds must be another number of them: what a writer of
before has told by its own is then looked up in each outcome."""

MODEL_CHARS = 80
"""Of a model's name: in metrics it is a label, and one of a megabyte would be in every scrape."""

MOST_TOKENS = (1 << 64) - 1
MOST_NANOS = (1 << 63) - 1
"""Sums of what agents say, which may be anything, stop there."""

_NONE = (0,) * (len(CALL_BOUNDS_MS) + 1)


def is_readable(made: CallsMade) -> bool:
    """Tell whether calls are told by the bounds that there are here."""
    return all(len(calls.took) == len(_NONE) for calls in made.agents)


def calls_made(outcomes: Iterable[Outcome]) -> CallsMade:
    """Sum up the calls of outcomes; decisions, which took none, are left out.

    >>> one = Outcome(agent_type="order", called_us=1, answered_us=20_001)
    >>> calls_made([one, one]).agents[0].took[:3], calls_made([one, one]).agents[0].took_ms
    ([0, 2, 0], 40)
    """
    made = CallsMade()
    of_type: dict[str, AgentCalls] = {}
    of_model: dict[tuple[str, str], Usage] = {}
    for outcome in outcomes:
        called_us, nanos, told = outcome.called_us, outcome.cost_nanos, outcome.usage
        if not (called_us or nanos or told):
            continue
        name = outcome.agent_type
        calls = of_type.get(name)
        if calls is None:
            calls = of_type[name] = made.agents.add()
            calls.agent_type = name
            calls.took.extend(_NONE)
        if called_us:
            # The clock may have been set back between the two.
            took_ms = max(0, (outcome.answered_us - called_us) // 1_000)
            calls.took[bisect_left(CALL_BOUNDS_MS, took_ms)] += 1
            calls.took_ms = min(calls.took_ms + took_ms, MOST_NANOS)
        if nanos:
            costs = calls.costs
            costs[outcome.tenant] = min(costs[outcome.tenant] + nanos, MOST_NANOS)
        for usage in told:
            model = usage.model[:MODEL_CHARS]
            total = of_model.get((name, model))
            if total is None:
                total = of_model[name, model] = calls.usage.add()
                total.model = model
            total.input_tokens = min(total.input_tokens + usage.input_tokens, MOST_TOKENS)
            total.output_tokens = min(total.output_tokens + usage.output_tokens, MOST_TOKENS)
    return made
