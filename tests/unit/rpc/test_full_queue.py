"""Shares hold where the backlog is many times what the queue holds, and the agent is never idle.

A real pool, and a Gate that sends what was dropped again at steps of 1 to 30 s. Time is virtual.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from headgate.rpc.shares import ShareOf
from tests.unit.rpc.resending import Agent, Gate
from tests.virtual_time import run

TENANTS = {f"t{number}": 1 + number % 5 for number in range(10)}
SHARES = {tenant: ShareOf(weight=weight) for tenant, weight in TENANTS.items()}
PER_SECOND = 40
SECONDS = 100
BACKLOG = 1_000
"""Instances of each tenant: the heaviest begins 667 in that time."""


async def begun(queue_bytes: int, sizes: dict[str, int]) -> list[tuple[float, str]]:
    """What the agent was asked, and when, by all tenants' instances at once."""
    agent = Agent(concurrency=4, seconds=4 / PER_SECOND)
    gate = Gate(agent, queue_bytes, SHARES)
    for number in range(BACKLOG):
        for tenant in TENANTS:
            gate.send(tenant, number, sizes[tenant])
    await asyncio.sleep(SECONDS)
    assert gate.drops > BACKLOG
    gate.pool.leave()
    return agent.begun


@pytest.mark.parametrize(
    ("calls", "large"),
    [(400, 1), (400, 10), (100, 1)],
    ids=["10 s of work", "requests of ten times the size", "2.5 s of work"],
)
def test_shares_hold_and_the_agent_is_busy_while_most_of_the_backlog_is_dropped(
    calls: int, large: int
) -> None:
    size = 1_000
    sizes = {who: size * (large if number % 2 else 1) for number, who in enumerate(TENANTS)}
    mean = sum(sizes[who] * weight for who, weight in TENANTS.items()) // sum(TENANTS.values())
    all_begun = run(begun(calls * mean, sizes))
    # The agent's time is used up, by all but what it takes at the end.
    assert len(all_begun) >= 0.99 * PER_SECOND * SECONDS
    for since, until in pairwise(range(0, SECONDS + 1, 50)):
        counts = Counter(tenant for at, tenant in all_begun if since <= at < until)
        for tenant, weight in TENANTS.items():
            ideal = counts.total() * weight / sum(TENANTS.values())
            assert counts[tenant] == pytest.approx(ideal, rel=0.05), (since, tenant)


def test_a_queue_of_fewer_calls_than_units_of_weight_starves_nobody() -> None:
    counts = Counter(tenant for _, tenant in run(begun(15_000, dict.fromkeys(TENANTS, 1_000))))
    assert min(counts[tenant] for tenant in TENANTS) > PER_SECOND * SECONDS / 30 / 2


async def waits_beside_a_flood(queue_bytes: int) -> list[float]:
    """How long each of a tenant's calls waits, one a second, while another has 100 s of work."""
    agent = Agent(concurrency=4, seconds=4 / PER_SECOND)
    gate = Gate(agent, queue_bytes, {})
    for number in range(100 * PER_SECOND):
        gate.send("flood", number, 1_000)
    sent = []
    for number in range(60):
        # Not at a round second, when the agent's calls end.
        await asyncio.sleep(1.013)
        sent.append(asyncio.get_running_loop().time())
        gate.send("calm", number, 1_000)
    await asyncio.sleep(1)
    gate.pool.leave()
    began = [at for at, tenant in agent.begun if tenant == "calm"]
    return [at - since for since, at in zip(sent, began, strict=True)]


@pytest.mark.parametrize("calls", [10_000, 100], ids=["all of it fits", "2.5 s of work fit"])
def test_a_flooding_tenant_costs_others_the_wait_for_one_call(calls: int) -> None:
    waits = run(waits_beside_a_flood(calls * 1_000))
    assert max(waits) <= 4 / PER_SECOND + 1e-6
