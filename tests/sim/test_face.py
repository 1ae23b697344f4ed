"""The face that users' tests see: the fixture ``headgate_sim``."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta

import pytest

from headgate.sdk import Agent, Event, Log, Park, RetryableError, TerminalError, Turn, log
from headgate.sim.agents import FlakyAgent, GarbageAgent, SlowAgent
from headgate.sim.driver import StalledError
from headgate.sim.face import HeadgateSim, default_policy
from headgate.sim.scripted import ScriptedAgent


@dataclass
class Order:
    """State of the agent under test."""

    status: str = "new"
    notes: Log[str] = log()  # noqa: RUF009 - it is a dataclass field, made by field()


def order_agent() -> Agent[Order]:
    """Return an agent that keeps notes and can be told to fail."""
    agent = Agent("order", state=Order)

    @agent.on("shop.order.message")
    async def message(turn: Turn[Order], event: Event) -> None:
        await asyncio.sleep(0)
        turn.state.status = "talking"
        turn.state.notes.append(event.data["text"])
        turn.emit("shop.order.reply", {"text": event.data["text"].upper()})

    @agent.on("shop.order.busy")
    def busy(turn: Turn[Order], event: Event) -> None:
        if event.data["until"] > turn.attempt:
            message = "busy"
            raise RetryableError(message, after=60)
        turn.state.status = f"after {turn.attempt} attempts"

    @agent.on("shop.order.bad")
    def bad(turn: Turn[Order], event: Event) -> None:
        message = "no such order"
        raise TerminalError(message)

    @agent.on("shop.order.odd")
    def odd(turn: Turn[Order], event: Event) -> None:
        message = "needs a person"
        raise Park(message)

    return agent


def test_an_agent_answers_and_keeps_its_state(headgate_sim: HeadgateSim) -> None:
    """Outputs, typed state and history of one instance; another's are its own."""
    headgate_sim.attach(order_agent())
    headgate_sim.send("order/17", "shop.order.message", {"text": "where is it?"})
    headgate_sim.send("order/18", "shop.order.message", {"text": "hello"})
    (out,) = headgate_sim.outputs("order/17")
    assert out.data == {"text": "WHERE IS IT?"}
    assert out.id == "order/17/1/0"
    assert out.attributes["causationid"] == "1"
    state = headgate_sim.state("order/17")
    assert state.status == "talking"
    assert list(state.notes) == ["where is it?"]
    assert [record.outcome.turn for record in headgate_sim.history("order/17")] == [1]
    assert headgate_sim.dead_letters == []


def test_crashes_change_nothing(headgate_sim: HeadgateSim) -> None:
    """Crashes before, between and after; restores to an older checkpoint; a producer's repeat."""
    headgate_sim.attach(order_agent())
    for number in range(6):
        event_id = f"m{number}"
        headgate_sim.send("order/17", "shop.order.message", {"text": event_id}, id=event_id)
        headgate_sim.send("order/17", "shop.order.message", {"text": event_id}, id=event_id)
        headgate_sim.advance(0.1)
        if number % 2:
            headgate_sim.checkpoint()
        headgate_sim.crash(back=number % 3)
    assert list(headgate_sim.state("order/17").notes) == [f"m{n}" for n in range(6)]
    outputs = headgate_sim.outputs("order/17")
    assert [out.data["text"] for out in outputs] == [f"M{n}" for n in range(6)]


def test_time_passes_only_when_told(headgate_sim: HeadgateSim) -> None:
    """A retry in a minute comes in a minute of the world's clock, not of ours."""
    headgate_sim.attach(order_agent())
    headgate_sim.send("order/17", "shop.order.busy", {"until": 2})
    headgate_sim.advance(59)
    control = headgate_sim.world.gate.store.control("order/17")
    assert control is not None
    assert control.attempts == 1
    headgate_sim.advance(2)
    assert headgate_sim.state("order/17").status == "after 2 attempts"


def test_failures_end_as_the_agent_says(headgate_sim: HeadgateSim) -> None:
    """A terminal failure costs its event, a park its instance, and neither anyone else."""
    headgate_sim.attach(order_agent())
    headgate_sim.send("order/17", "shop.order.bad", {})
    headgate_sim.send("order/17", "shop.order.message", {"text": "after"})
    headgate_sim.send("order/18", "shop.order.odd", {})
    headgate_sim.send("order/18", "shop.order.message", {"text": "waits"})
    (letter,) = headgate_sim.dead_letters
    assert (letter.address, letter.reason) == ("order/17", "terminal")
    assert list(headgate_sim.state("order/17").notes) == ["after"]
    assert headgate_sim.is_parked("order/18")
    headgate_sim.control("order/18", "skip")
    assert list(headgate_sim.state("order/18").notes) == ["waits"]
    assert len(headgate_sim.dead_letters) == 2


def test_unreadable_records_become_dead_letters(headgate_sim: HeadgateSim) -> None:
    """A record that is no event names its place, and stops nothing."""
    headgate_sim.attach(order_agent())
    headgate_sim.publish("order", b"17", b"{not json")
    headgate_sim.send("order/17", "shop.order.message", {"text": "next"})
    (letter,) = headgate_sim.dead_letters
    assert letter.reason == "not_json"
    assert letter.origin.topic == "events"
    assert list(headgate_sim.state("order/17").notes) == ["next"]


def test_doubles_do_as_they_are_named(headgate_sim: HeadgateSim) -> None:
    """Late, unavailable and lying services: each by policy, none for ever."""
    policy = default_policy()
    policy.deadline_ms = 1_000
    headgate_sim.attach(SlowAgent(ScriptedAgent(), 5_000), name="slow", policy=policy)
    headgate_sim.attach(FlakyAgent(ScriptedAgent(), times=2), name="flaky")
    headgate_sim.attach(GarbageAgent(), name="garbage")
    for name in ("slow", "flaky", "garbage"):
        headgate_sim.send(f"{name}/1", "scripted", {})
    reasons = {letter.address: letter.reason for letter in headgate_sim.dead_letters}
    assert reasons == {"slow/1": "deadline_exceeded", "garbage/1": "bad_reply"}
    assert headgate_sim.state("flaky/1")["count"] == 1


def test_a_service_that_never_comes_is_a_stall(headgate_sim: HeadgateSim) -> None:
    """Waiting for it has an end, and the error names who waits."""
    headgate_sim.attach(FlakyAgent(ScriptedAgent(), times=10**9), name="gone")
    headgate_sim.send("gone/1", "scripted", {})
    with pytest.raises(StalledError, match="gone/1"):
        headgate_sim.run()


async def test_it_works_inside_a_running_loop(headgate_sim: HeadgateSim) -> None:
    """A test that is a coroutine can use it too, although handlers are awaited."""
    headgate_sim.attach(order_agent())
    headgate_sim.send("order/17", "shop.order.message", {"text": "hi"})
    assert headgate_sim.outputs("order/17")[-1].data == {"text": "HI"}


def test_the_plugin_is_cheap_to_import() -> None:
    """Pytest loads it in every project: neither Flink nor gRPC nor the simulation come with it."""
    code = "import sys, headgate.testing.plugin; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(told.stdout.split())
    assert not loaded & {"pyflink", "grpc", "kafka", "google.protobuf", "headgate.sim"}


@dataclass
class Approval:
    """State of an agent that waits for somebody."""

    status: str = "new"


def approval_agent() -> Agent[Approval]:
    """Return an agent that asks for approval, reminds, and tells a ledger."""
    agent = Agent("approval", state=Approval)

    @agent.on("approval.ask")
    def ask(turn: Turn[Approval], event: Event) -> None:
        turn.state.status = "asked"
        turn.set_timer("remind", timedelta(days=2), {"about": event.data})

    @agent.on_timer("remind")
    def remind(turn: Turn[Approval], event: Event) -> None:
        turn.emit("approval.reminder", event.data)

    @agent.on_signal("approve")
    def approve(turn: Turn[Approval], event: Event) -> None:
        turn.state.status = "approved"
        turn.cancel_timer("remind")
        turn.send("ledger/all", "ledger.note", {"key": turn.key, "by": event.data["by"]})

    return agent


def ledger_agent() -> Agent[Order]:
    """Return an agent that keeps what it is told."""
    agent = Agent("ledger", state=Order)

    @agent.on("ledger.note")
    def note(turn: Turn[Order], event: Event) -> None:
        turn.state.notes.append(f"{event.data['key']} by {event.data['by']}")

    return agent


def test_a_timer_waits_until_its_time_and_survives_crashes(headgate_sim: HeadgateSim) -> None:
    """Looking does not move the clock to it; `advance` does."""
    headgate_sim.attach(approval_agent())
    headgate_sim.send("approval/1", "approval.ask", "a cake")
    assert headgate_sim.outputs("approval/1") == []
    headgate_sim.crash()
    headgate_sim.advance(timedelta(days=2, seconds=-1))
    assert headgate_sim.outputs("approval/1") == []
    headgate_sim.advance(2)
    headgate_sim.crash()
    [reminder] = headgate_sim.outputs("approval/1")
    assert reminder.data == {"about": "a cake"}
    headgate_sim.advance(timedelta(days=9))
    assert len(headgate_sim.outputs("approval/1")) == 1


def test_a_signal_is_taken_once_and_a_message_tells_another(headgate_sim: HeadgateSim) -> None:
    """The timer that the signal cancels never comes."""
    headgate_sim.attach(approval_agent())
    headgate_sim.attach(ledger_agent())
    headgate_sim.send("approval/1", "approval.ask", "a cake")
    for _ in range(2):
        headgate_sim.signal("approval/1", "approve", {"by": "ann"}, id="s1")
        headgate_sim.run()
        headgate_sim.crash(back=1)
    headgate_sim.advance(timedelta(days=9))
    assert headgate_sim.state("approval/1").status == "approved"
    assert headgate_sim.outputs("approval/1") == []
    assert list(headgate_sim.state("ledger/all").notes) == ["1 by ann"]
