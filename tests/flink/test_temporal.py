"""Temporal and Headgate drive each other on the running job, while both are killed: each workflow
ends as it should, and each agent was asked once.

A purchase at Temporal asks a clerk of Headgate's, and runs a workflow of Headgate's, which by
`agents/temporal` starts, signals and updates an approval at Temporal, which asks the clerk too.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from typer.testing import CliRunner

from headgate.cli import app
from headgate.config import load
from headgate.door.desk import Desk
from headgate.local.jars import MissingToolError
from headgate.local.ports import LOOPBACK, accepts_connections, free_ports
from headgate.local.process import Child, Family
from headgate.local.stack import LocalStack
from headgate.local.supervisor import Supervisor
from headgate.sim.face import default_policy
from headgate.testing import background
from headgate.testing.cluster import Cluster
from headgate.testing.stack import HeadgateStack
from headgate.v1.agent_pb2 import Event
from tests.flink.kills import Kills
from tests.flink.temporal_worker import CLERKS, clerk, question
from tests.reference_agents import AGENTS

pytestmark = [
    pytest.mark.flink,
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.timeout(1_500),  # the first run builds the server
]

QUEUE = "purchases"
WAVE = 6
STEPS = ("first", "approval", "last", "note")
HERE = Path(__file__).parent
# All back, an activity whose worker was killed is tried again after its heartbeat's ten seconds,
# and agents/temporal looks every half minute at worst.
RESULT_SECONDS = 300.0
DOOR_SECONDS = 60.0


class Shop:
    """Two agent services, a front door and a worker of Temporal's, each a process that is started
    again when it is killed.
    """

    def __init__(self, stack: HeadgateStack) -> None:
        self.stack, self.local = stack, stack.cluster.stack
        self.path = self.local.home / "headgate.toml"
        self.server = self.local.start_temporal()
        self._family = Family()
        self._supervisor = Supervisor(self._family)
        self._door_port = 0
        self.handles: dict[int, WorkflowHandle[Any, Any]] = {}

    def open(self) -> None:
        """Start all of them, and the job with the first event."""
        policy = default_policy()
        # While Temporal or a service is away, turns are tried again.
        policy.max_attempts, policy.backoff_max_ms = 1_000, 1_000
        agents, cluster = self.local.agents, self.stack.cluster
        served = agents.start("clerks", HERE / "temporal_agents.py", ["--queue", QUEUE])
        cluster.register("clerk", served, policy)
        cluster.register("approver", served, policy)
        given = ["--temporal", self.server.target]
        served = agents.start("temporal", AGENTS / "temporal" / "agent.py", given)
        cluster.register("temporal", served, policy)
        self.stack.send("clerk/opens", "clerk.ask")
        self.stack.history("clerk/opens")
        http_port, self._door_port = free_ports(2)
        ports = ["--http-port", str(http_port), "--grpc-port", str(self._door_port)]
        command = ["-m", "headgate.cli.app", "door", *ports, "--config", str(self.path)]
        self._keep("door", command)
        child = self._supervisor.child("door")
        assert child is not None
        child.await_ready(lambda: accepts_connections(self._door_port), DOOR_SECONDS)
        door = f"{LOOPBACK}:{self._door_port}"
        script = str(HERE / "temporal_worker.py")
        self._keep("worker", [script, *given, "--door", door, "--queue", QUEUE])
        self.client = background.run(Client.connect(self.server.target))

    def close(self) -> None:
        """End them."""
        self._supervisor.stop()
        for name in ("worker", "door"):
            child = self._supervisor.drop(name)
            if child is not None:
                self._family.end(child)
        self._family.close()
        for name in ("clerks", "temporal"):
            if name in self.local.agents.names():
                self.local.agents.stop(name)

    def start(self, items: Sequence[int]) -> None:
        """Start a purchase of each."""
        self.server.await_serving()
        for item in items:
            started = self.client.start_workflow(
                "Purchase", item, id=f"purchase-{item}", task_queue=QUEUE
            )
            self.handles[item] = background.run(started)

    def await_begun(self, items: Sequence[int]) -> None:
        """Wait until a clerk was asked about one of them: they are in the midst of it."""

        def begun() -> bool:
            return any(
                question(item, "first") in taken(self.stack.cluster, clerk(item)) for item in items
            )

        self.stack.cluster.await_found(begun, f"the first of the purchases {items}")

    def kill(self, *names: str) -> None:
        """Kill some of them with SIGKILL."""
        for name in names:
            match name:
                case "server":
                    assert self.server.kill()
                case "clerks" | "temporal":
                    assert self.local.agents.kill(name)
                case _:
                    child = self._supervisor.child(name)
                    assert child is not None
                    assert child.is_alive()
                    child.kill()

    def headgate(self, *arguments: str) -> None:
        """Run a command as one would type it."""
        ran = CliRunner().invoke(app.app, [*arguments, "--config", str(self.path)])
        if ran.exception is not None:
            raise ran.exception

    def results(self) -> dict[int, Any]:
        """Wait for the end of all purchases; what each came to."""

        async def all_of_them() -> list[Any]:
            async with asyncio.timeout(RESULT_SECONDS):
                return await asyncio.gather(*(each.result() for each in self.handles.values()))

        return dict(zip(self.handles, background.run(all_of_them()), strict=True))

    def executions(self) -> list[str]:
        """Return the ids of all of Temporal's executions."""

        async def listed() -> list[str]:
            return [each.id async for each in self.client.list_workflows()]

        return sorted(background.run(listed()))

    def _keep(self, name: str, arguments: list[str]) -> None:
        def spawn() -> Child:
            log = self.local.home / "logs" / f"{name}.log"
            return self._family.spawn(name, [sys.executable, *arguments], log=log)

        self._supervisor.keep(name, spawn)


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


def taken(cluster: Cluster, address: str) -> list[Any]:
    """Return what a clerk has taken so far: it puts out all of it."""
    return [output["data"] for output in cluster.outbox(address)]


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
