"""What `headgate agents list` learns from a real agent service."""

import asyncio

from headgate.rpc.health import ask, ask_all
from headgate.sdk import Agent
from headgate.sdk.server import Server


async def test_a_service_tells_its_health_and_revisions() -> None:
    agent = Agent("order", revision="r7")
    async with Server(agent, port=0) as server:
        answer = await asyncio.to_thread(ask, server.address)
    assert (answer.health, answer.problem) == ("serving", "")
    assert answer.revision_of("order") == "r7"
    assert answer.revision_of("other") is None


async def test_one_that_is_away_does_not_hide_the_others() -> None:
    async with Server(Agent("order"), port=0) as server:
        answers = await asyncio.to_thread(ask_all, ["127.0.0.1:1", server.address])
        assert answers[server.address].health == "serving"
    assert answers["127.0.0.1:1"].health == "unreachable"
    assert answers["127.0.0.1:1"].problem
