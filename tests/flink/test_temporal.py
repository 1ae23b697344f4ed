"""Temporal and Headgate drive each other on the running job, while both are killed: each workflow
ends as it should, and each agent was asked once.

A purchase at Temporal asks a clerk of Headgate's, and runs a workflow of Headgate's, which by
`agents/temporal` starts, signals and updates an approval at Temporal, which asks the clerk too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from headgate.config import load
from headgate.door.desk import Desk
from headgate.local.jars import MissingToolError
from headgate.local.stack import LocalStack
from headgate.testing.cluster import Cluster
from headgate.testing.stack import HeadgateStack
from headgate.v1.agent_pb2 import Event
from tests.flink.kills import Kills
from tests.flink.temporal_shop import RESULT_SECONDS, Shop, taken
from tests.flink.temporal_worker import CLERKS, clerk, question

pytestmark = [
    pytest.mark.flink,
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.timeout(1_500),  # the first run builds the server
]

WAVE = 6
STEPS = ("first", "approval", "last", "note")


@pytest.fixture
def shop(killed_stack: HeadgateStack) -> Iterator[Shop]:
    """A shop on a stack that is killed at."""
    with ExitStack() as opening:
        try:
            made = Shop(killed_stack)
        except MissingToolError as error:
            pytest.skip(str(error))
        opening.callback(made.close)
        made.open()
        yield made


def test_both_drive_each_other_while_both_are_killed(shop: Shop) -> None:
    stack, cluster, local = shop.stack, shop.stack.cluster, shop.local
    config = load(shop.path)
    desk = Desk(config.kafka.bootstrap, config)
    waves = [range(WAVE * number, WAVE * (number + 1)) for number in range(3)]

    # Killed while every purchase waits for its clerk: all of them ask again.
    shop.headgate("agents", "pause", "clerk")
    shop.start(waves[0])
    await_asked(desk, len(waves[0]))
    shop.kill("worker", "server", "door")
    shop.headgate("agents", "resume", "clerk")

    # Killed wherever it strikes.
    kills = Kills(local, cluster.job, seed=11, each=1)
    kills.start()
    shop.start(waves[1])
    shop.await_begun(waves[1])
    shop.kill("temporal", "clerks")
    kills.await_done(1)
    shop.start(waves[2])
    shop.await_begun(waves[2])
    shop.kill("server", "worker", "temporal")
    kills.finish()

    results = shop.results()
    numbers: dict[str, list[int]] = {f"clerk/{number}": [] for number in range(CLERKS)}
    for item, result in results.items():
        approval, told = result["approved"]
        assert (approval["told"], told) == (["signal", "update"], 2), item
        numbers[clerk(item)] += [*result["numbers"], approval["number"]]
    for address, told_by in numbers.items():
        assert len(set(told_by)) == len(told_by), "no answer is another's"
        items = [item for item in results if clerk(item) == address]
        due = [question(item, step) for item in items for step in STEPS]
        # Behind all that was ever asked of it, by the same way.
        asked = Event(id=f"last of {address}", type="clerk.ask", data=b"null")
        reply = desk.ask(address, asked).result(RESULT_SECONDS)
        await_turn(cluster, address, reply.turn)
        assert sorted(map(str, taken(cluster, address))) == sorted(map(str, [*due, None]))
        assert json.loads(reply.answer.data) == len(due) + 1
        assert stack.state(address)["n"] == len(due) + 1
    desk.close()
    await_ends(stack, list(results))
    for item, result in results.items():
        assert stack.state(f"approver/{item}")["result"] == result["approved"]
        [ended] = stack.cluster.outbox(f"temporal/{item}")
        assert ended["data"] == {"status": "completed", "result": result["approved"][0]}
    assert stack.dead_letters == []
    expected = [name for item in results for name in (f"purchase-{item}", f"{item}")]
    assert shop.executions() == sorted(expected)
    assert_struck(local, kills)


def await_turn(cluster: Cluster, address: str, turn: int) -> None:
    """Wait until a turn of an instance, whose reply came before, is committed, and its output."""

    def committed() -> bool:
        turns = {record.outcome.turn for record in cluster.history(address)}
        outputs = {str(each["id"]) for each in cluster.outbox(address)}
        return turn in turns and f"{address}/{turn}/0" in outputs

    cluster.await_found(committed, f"turn {turn} of {address}")


def await_ends(stack: HeadgateStack, items: Sequence[int]) -> None:
    """Wait until it is committed that each approval has ended, on both sides of it."""

    def ended() -> bool:
        return all(
            stack.cluster.outbox(f"temporal/{item}")
            and stack.state(f"approver/{item}")["status"] == "completed"
            for item in items
        )

    stack.cluster.await_found(ended, "the end of all approvals")


def await_asked(desk: Desk, count: int) -> None:
    """Wait until so many events wait at paused clerks."""
    waiting = 0
    while waiting < count:
        looks = [desk.look(f"clerk/{number}").control for number in range(CLERKS)]
        waiting = sum(each.mailbox_tail - each.mailbox_head for each in looks)


def assert_struck(local: LocalStack, kills: Kills) -> None:
    """Assert that the job's parts, and the agents, have died, too."""
    assert kills.done == len(kills.plan)
    restarts = local.restarts()
    assert restarts["temporal"] == 2
    assert restarts["taskmanager-0"] >= 1
    assert restarts["agent-clerks"] == 1
    assert restarts["agent-temporal"] == 2
