"""Temporal in both directions, on a real server: its workflows drive agents, an agent drives its
workflows; workers, services and the server itself are ended in between.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from headgate import temporal
from headgate.door.rpc import FrontDoor
from headgate.door.waiting import Waiting
from headgate.local.jars import MissingToolError
from headgate.local.process import Family
from headgate.local.supervisor import Supervisor
from headgate.local.temporal import Temporal
from headgate.local.temporal_build import build
from headgate.sdk import Agent, Event, Refusal, Turn
from headgate.sdk.workflow import Context
from headgate.sim.agents import Answer, NoAnswer
from headgate.sim.face import HeadgateSim
from headgate.sim.sdk import SdkAgent
from headgate.v1 import door_pb2_grpc
from headgate.v1.agent_pb2 import Event as Asked
from headgate.v1.agent_pb2 import TurnRequest
from headgate.v1.turn_pb2 import InstanceReport, Reply, Signal
from tests import reference_agents
from tests.integration.temporal_workflows import Approval, Order, Patient

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.timeout(1_500)]

QUEUE = "shop"
EXAMPLE = Path(__file__).parents[2] / "examples" / "temporal" / "returns.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Temporal]:
    """The embedded stack's, without the rest of the stack."""
    try:
        program = build()
    except MissingToolError as error:
        pytest.skip(str(error))
    with Family() as family:
        supervisor = Supervisor(family)
        made = Temporal(family, supervisor, tmp_path_factory.mktemp("temporal"), program)
        made.launch()
        made.await_serving()
        yield made
        supervisor.stop()
        made.stop()


async def connected(server: Temporal) -> Client:
    """Connect, as soon as it serves."""
    await asyncio.to_thread(server.await_serving)
    return await Client.connect(server.target)


# --------------------------------------------------------- Temporal's workflows, Headgate's agents


@dataclass
class Seen:
    """What an instance was asked."""

    asked: int = 0
    notes: int = 0
    stopped: int = 0


def order() -> Agent[Seen]:
    agent = Agent("order", Seen)

    @agent.on("order.ask")
    def ask(turn: Turn[Seen], event: Event) -> Any:
        turn.state.asked += 1
        turn.emit("order.asked", event.data)
        return {"asked": turn.state.asked}

    @agent.on("order.note")
    def note(turn: Turn[Seen], event: Event) -> None:
        turn.state.notes += 1

    @agent.on_signal("stop")
    def stop(turn: Turn[Seen], event: Event) -> None:
        turn.state.stopped += 1

    @agent.on("order.refuse")
    def refuse(turn: Turn[Seen], event: Event) -> Any:
        return Refusal("closed")

    return agent


def trip() -> Agent[Any]:
    agent: Agent[Any] = Agent("trip")

    @agent.workflow
    async def run(ctx: Context, data: Any) -> Any:
        by = await ctx.wait_signal("approve")
        return {**data, "by": by}

    return agent


class SimDesk:
    """The desk of a front door over a Headgate in memory: the job is tested elsewhere."""

    asks_who = False

    def __init__(self, sim: HeadgateSim) -> None:
        self._sim = sim
        self._open: list[tuple[str, str, Future[Reply]]] = []

    def ask(self, address: str, event: Asked) -> Future[Reply]:
        self._sim.world.ask(address, event)
        return self.reply(address, event.id)

    def reply(self, address: str, request_id: str) -> Future[Reply]:
        made: Future[Reply] = Future()
        self._open.append((address, request_id, made))
        self.settle()
        return made

    def settle(self) -> None:
        """Let the world come to rest, and hand out the replies that there are."""
        self._sim.run()
        for address, request_id, made in list(self._open):
            value = self._sim.world.sinks.replies.get((address, request_id))
            if value is not None and not made.done():
                made.set_result(Reply.FromString(value))

    def signal(self, address: str, signal: Signal) -> None:
        self._sim.world.signal(address, signal)
        self.settle()

    def look(self, address: str, *, at_least: int = 0) -> InstanceReport:
        self.settle()
        report = InstanceReport(address=address)
        control = self._sim.world.gate.store.control(address)
        if control is not None:
            report.control.CopyFrom(control)
            report.state.CopyFrom(self._sim._stored(address))
        return report


@asynccontextmanager
async def a_door(sim: HeadgateSim) -> AsyncIterator[tuple[str, SimDesk]]:
    desk = SimDesk(sim)
    waiting = Waiting(desk)  # type: ignore[arg-type]
    # One after the other: a world in memory is not made for threads.
    waiting._threads._max_workers = 1
    server = grpc.aio.server()
    door_pb2_grpc.add_FrontDoorServicer_to_server(FrontDoor(waiting), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}", desk
    await server.stop(None)
    waiting.close()


def worker(client: Client, target: str) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Order, Patient],
        activities=temporal.Headgate(target).all,
        graceful_shutdown_timeout=timedelta(0),
    )


async def waiting(sim: HeadgateSim, address: str) -> None:
    """Wait until an event waits for an instance."""
    while True:
        control = sim.world.gate.store.control(address)
        if control is not None and control.mailbox_tail > control.mailbox_head:
            return
        await asyncio.sleep(0.05)


async def test_a_workflow_of_temporals_drives_agents(
    server: Temporal, headgate_sim: HeadgateSim
) -> None:
    headgate_sim.attach(order())
    headgate_sim.attach(trip())
    client = await connected(server)
    async with a_door(headgate_sim) as (target, _), worker(client, target):
        found = await client.execute_workflow("Order", "17", id="drives", task_queue=QUEUE)
    assert found == {
        "first": {"asked": 1},
        "outputs": 1,
        "trip": {"to": "Rome", "by": "ann"},
        "no": "Refused: order/17: closed",
    }
    assert headgate_sim.state("order/17").notes == 1


async def test_an_agent_is_asked_once_whoever_dies(
    server: Temporal, headgate_sim: HeadgateSim
) -> None:
    """The worker is ended while it waits, the server is killed, and Headgate crashes."""
    headgate_sim.attach(order())
    headgate_sim.control("order/18", "park")
    client = await connected(server)
    async with a_door(headgate_sim) as (target, desk):
        async with worker(client, target):
            handle = await client.start_workflow("Patient", "18", id="patient", task_queue=QUEUE)
            await waiting(headgate_sim, "order/18")
        server.kill()
        headgate_sim.crash(back=1)
        desk.settle()
        client = await connected(server)
        async with worker(client, target):
            headgate_sim.control("order/18", "resume")
            desk.settle()
            handle = client.get_workflow_handle("patient", run_id=handle.run_id)
            assert await handle.result() == {"asked": 1}
    assert headgate_sim.state("order/18") == Seen(asked=1)


async def test_a_cancelled_workflow_tells_its_agent(
    server: Temporal, headgate_sim: HeadgateSim
) -> None:
    headgate_sim.attach(order())
    headgate_sim.control("order/19", "park")
    client = await connected(server)
    async with a_door(headgate_sim) as (target, desk), worker(client, target):
        handle = await client.start_workflow("Patient", "19", id="cancelled", task_queue=QUEUE)
        await waiting(headgate_sim, "order/19")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        headgate_sim.control("order/19", "resume")
        desk.settle()
    assert headgate_sim.state("order/19").stopped == 1


async def test_the_example_drives_three_agents(
    server: Temporal,
    headgate_sim: HeadgateSim,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The workflow of examples/temporal, with the agents of agents/refund."""
    # By its name, for the sandbox loads it so, too.
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    example: Any = importlib.import_module(EXAMPLE.stem)
    refund = reference_agents.load("refund")
    bank = reference_agents.load("refund", "bank").Bank(tmp_path / "bank.sqlite")
    headgate_sim.attach(refund.make_classifier())
    headgate_sim.attach(refund.make_workflow(bank))
    carrier: Agent[Any] = Agent("carrier")

    @carrier.on("parcel.announced")
    def announced(turn: Turn[Any], event: Event) -> None:
        turn.emit("parcel.expected", event.data)

    headgate_sim.attach(carrier)
    client = await connected(server)
    ends: dict[str, str] = {}
    async with a_door(headgate_sim) as (target, _), example.worker(client, target):
        for text in ("it came broken", "a stolen card", " "):
            key = f"order-{len(ends)}"
            given = example.Return(key, "ann", 500, text)
            ends[text] = await client.execute_workflow(
                example.Returns.run, given, id=f"return-{key}", task_queue=example.QUEUE
            )
    assert ends["it came broken"] == "refunded 500 cents"
    assert ends["a stolen card"] == "refused"
    assert "the complaint has no text" in ends[" "]
    assert [cents for _, _, cents, _ in bank.payments()] == [500]
    assert [each.data for each in headgate_sim.outputs("carrier/order-0")] == [{"order": "order-0"}]


# --------------------------------------------------------- Headgate's agent, Temporal's workflows


class Losing:
    """A service that does each turn twice: the first answer is lost."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._inner, self._bases = SdkAgent(agent), set[bytes]()

    def answer(self, request: TurnRequest) -> Answer:
        """Run the turn, and say nothing of it the first time."""
        reply = self._inner.answer(request)
        is_first = request.base not in self._bases
        self._bases.add(request.base)
        return NoAnswer.UNAVAILABLE if is_first else reply

    def takes_ms(self, request: TurnRequest) -> int:
        """Take no time."""
        return 0


START = {"workflow": "Approval", "task_queue": QUEUE}


async def test_an_agent_drives_workflows_of_temporals(
    server: Temporal, headgate_sim: HeadgateSim
) -> None:
    client = await connected(server)
    agent: Any = reference_agents.load("temporal").make_agent(client)
    caller: Agent[Any] = Agent("caller")

    @caller.workflow
    async def call(ctx: Context, data: Any) -> Any:
        return await ctx.call(f"temporal/{ctx.key}", "temporal.start", {**START, "args": [2]})

    headgate_sim.attach(Losing(agent), name="temporal")
    headgate_sim.attach(caller)

    def tell(kind: str, data: Any, event_id: str) -> Any:
        reply = headgate_sim.ask("temporal/a1", kind, data, id=event_id)
        assert reply is not None
        return reply.answer.refused or json.loads(reply.answer.data)

    async with Worker(client, task_queue=QUEUE, workflows=[Approval]):
        step = asyncio.to_thread
        await step(headgate_sim.send, "caller/a1", "begin")
        await step(headgate_sim.run)
        await step(headgate_sim.crash, 1)
        running = await step(tell, "temporal.start", {**START, "args": [2]}, "again")
        assert running["status"] == "running", "an id is one workflow"
        for _ in range(2):
            # A crash loses that the first has told it; told again, Temporal knows the repeat.
            said = {"name": "tell", "args": ["one"]}
            assert await step(tell, "temporal.signal", said, "s1") is None
            await step(headgate_sim.crash, 2)
        assert await step(tell, "temporal.query", {"name": "count"}, "q") == 1
        assert await step(tell, "temporal.update", {"name": "add", "args": ["two"]}, "u") == 2
        assert "not found" in str(await step(tell, "temporal.query", {"name": "no"}, "q2"))
        await client.get_workflow_handle("a1").result()
        await step(headgate_sim.advance, 5)
        state = await step(headgate_sim.state, "caller/a1")
        assert (state.status, state.result) == ("completed", {"told": ["one", "two"]})
        [ended] = await step(headgate_sim.outputs, "temporal/a1")
        assert ended.data == {"status": "completed", "result": {"told": ["one", "two"]}}
        late = await step(tell, "temporal.start", START, "late")
        assert late == {"told": ["one", "two"]}, "one that is over answers at once"


async def test_one_that_fails_or_is_cancelled_says_so(
    server: Temporal, headgate_sim: HeadgateSim
) -> None:
    client = await connected(server)
    headgate_sim.attach(reference_agents.load("temporal").make_agent(client))
    step = asyncio.to_thread
    async with Worker(client, task_queue=QUEUE, workflows=[Approval]):
        for key, kind, data in (
            ("bad", "temporal.signal", {"name": "tell", "args": ["bad"]}),
            ("gone", "temporal.cancel", None),
        ):
            address = f"temporal/{key}"
            await step(headgate_sim.ask, address, "temporal.start", {**START, "args": [1]})
            await step(headgate_sim.ask, address, kind, data)
            with pytest.raises(WorkflowFailureError):
                await client.get_workflow_handle(key).result()
            await step(headgate_sim.advance, 5)
            [ended] = await step(headgate_sim.outputs, address)
            assert ended.data["status"] == {"bad": "failed", "gone": "canceled"}[key]
        nobody = await step(headgate_sim.ask, "temporal/no", "temporal.signal", {"name": "tell"})
        assert nobody is not None
        assert "not found" in nobody.answer.refused
