"""What calls took, used and cost, summed up for those who count it.

Whoever makes outcomes has their numbers at hand. Whoever reads them in Gate's place, a thousand a
second on its one thread, would look each of them up once more: that took a fiftieth of a turn.
"""

from __future__ import annotations

from collections.abc import Iterable

from headgate.v1.agent_pb2 import Usage
from headgate.v1.turn_pb2 import AgentCalls, CallsMade, Outcome

MODEL_CHARS = 80
"""Of a model's name: in metrics it is a label, and one of a megabyte would be in every scrape."""

MOST_TOKENS = (1 << 64) - 1
MOST_NANOS = (1 << 63) - 1
"""Sums of what agents say, which may be anything, stop there."""


def calls_made(outcomes: Iterable[Outcome]) -> CallsMade:
    """Sum up the calls of outcomes; decisions, which took none, are left out.

    >>> calls_made([Outcome(agent_type="order", called_us=1, answered_us=5_001)]).agents[0].took_ms
    [5]
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
        if called_us:
            # The clock may have been set back between the two.
            calls.took_ms.append(max(0, (outcome.answered_us - called_us) // 1_000))
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
