"""A shop of Temporal's and Headgate's: agent services, a front door, a worker, each a process that
is killed and started again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from typer.testing import CliRunner

from headgate.cli import app
from headgate.local.ports import LOOPBACK, accepts_connections, free_ports
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor
from headgate.sim.face import default_policy
from headgate.testing import background
from headgate.testing.cluster import Cluster
from headgate.testing.stack import HeadgateStack
from tests.flink.temporal_worker import clerk, question
from tests.reference_agents import AGENTS

QUEUE = "purchases"
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


def taken(cluster: Cluster, address: str) -> list[Any]:
    """Return what a clerk has taken so far: it puts out all of it."""
    return [output["data"] for output in cluster.outbox(address)]
