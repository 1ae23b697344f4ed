"""What a front door is asked: taken once, and replied to by the turn that took it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.core import asked
from headgate.core.inbox import arrived
from headgate.sdk import Agent, Event, TerminalError, Turn
from headgate.sdk.calls import Refusal
from headgate.sim.face import HeadgateSim, default_policy
from headgate.v1.agent_pb2 import Event as Asked
from headgate.v1.agent_pb2 import Origin
from headgate.v1.turn_pb2 import InboxRecord


@pytest.fixture
def calls() -> list[Any]:
    return []


@pytest.fixture
def sim(headgate_sim: HeadgateSim, calls: list[Any]) -> HeadgateSim:
    agent = Agent("order")

    @agent.on("order.ask")
    def answer(turn: Turn[Any], event: Event) -> Any:
        calls.append(event.data)
        turn.emit("order.reply", {"to": event.data})
        return {"answer": event.data}

    @agent.on("order.silent")
    def silent(turn: Turn[Any], event: Event) -> None:
        turn.send("order/other", "order.ask")

    @agent.on("order.refuse")
    def refuse(turn: Turn[Any], event: Event) -> Any:
        return Refusal("not today")

    @agent.on("order.fail")
    def fail(turn: Turn[Any], event: Event) -> None:
        message = "never"
        raise TerminalError(message)

    @agent.on("order.large")
    def large(turn: Turn[Any], event: Event) -> Any:
        return "x" * event.data

    headgate_sim.attach(agent)
    return headgate_sim


def test_the_reply_has_the_answer_and_what_the_event_let_leave(sim: HeadgateSim) -> None:
    reply = sim.ask("order/17", "order.ask", {"n": 1}, id="a")
    assert reply is not None
    assert (reply.address, reply.request_id, reply.turn) == ("order/17", "a", 1)
    assert json.loads(reply.answer.data) == {"answer": {"n": 1}}
    (output,) = map(json.loads, reply.outputs)
    assert output["data"] == {"to": {"n": 1}}
    # The very same record as in the outbox, which readers tell apart by its id.
    assert output["id"] == sim.outputs("order/17")[0].id == "order/17/1/0"


def test_each_of_a_batch_gets_its_own(sim: HeadgateSim) -> None:
    for n in range(3):
        sim.world.ask("order/17", Asked(id=f"r{n}", type="order.ask", data=b"%d" % n))
    sim.run()
    replies = [sim.ask("order/17", "order.ask", id=f"r{n}") for n in range(3)]
    assert len(sim.history("order/17")) < 3
    for n, reply in enumerate(replies):
        assert reply is not None
        assert json.loads(reply.answer.data) == {"answer": n}
        assert [json.loads(each)["data"] for each in reply.outputs] == [{"to": n}]


def test_a_repeat_is_the_same_request_whatever_crashes(sim: HeadgateSim, calls: list[Any]) -> None:
    first = sim.ask("order/17", "order.ask", 1, id="a")
    sim.crash()
    sim.world.sinks.replies.clear()
    sim.crash(back=1)
    # Restored from before the turn: the journal tells it again.
    assert sim.ask("order/17", "order.ask", 1, id="a") == first
    assert calls == [1]
    # Of another instance it is another request.
    other = sim.ask("order/18", "order.ask", 1, id="a")
    assert other is not None
    assert calls == [1, 1]


def test_an_answer_is_no_message_to_an_instance(sim: HeadgateSim) -> None:
    reply = sim.ask("order/17", "order.silent")
    assert reply is not None
    assert (json.loads(reply.answer.data), list(reply.outputs)) == (None, [])
    assert [record.outcome.turn for record in sim.history("order/other")] == [1]
    assert sim.history("headgate.door/asked-1") == []


def test_a_refusal_is_told(sim: HeadgateSim) -> None:
    reply = sim.ask("order/17", "order.refuse")
    assert reply is not None
    assert (reply.answer.refused, reply.given_up) == ("not today", "")


def test_what_is_given_up_is_told_and_its_neighbours_are_not_blamed(sim: HeadgateSim) -> None:
    sim.world.ask("order/17", Asked(id="good", type="order.ask", data=b"1"))
    sim.world.ask("order/17", Asked(id="bad", type="order.fail"))
    bad = sim.ask("order/17", "order.fail", id="bad")
    good = sim.ask("order/17", "order.ask", id="good")
    assert bad is not None
    assert (bad.given_up, bad.message) == ("terminal", "never")
    assert good is not None
    assert (good.given_up, json.loads(good.answer.data)) == ("", {"answer": 1})


def test_what_an_operator_skips_is_told(sim: HeadgateSim) -> None:
    sim.control("order/17", "park")
    assert sim.ask("order/17", "order.ask", 1, id="a") is None
    sim.control("order/17", "skip", reason="a test")
    reply = sim.ask("order/17", "order.ask", 1, id="a")
    assert reply is not None
    assert (reply.given_up, reply.message) == ("skipped", "a test")


def test_a_full_mailbox_is_told_at_once(sim: HeadgateSim) -> None:
    policy = default_policy()
    policy.mailbox_limit = 1
    agent = Agent("order")

    @agent.on("*")
    def never(turn: Turn[Any], event: Event) -> None:
        """Is parked before it comes to this."""

    sim.attach(agent, policy=policy)
    sim.control("order/17", "park")
    assert sim.ask("order/17", "order.ask", 1) is None
    reply = sim.ask("order/17", "order.ask", 2)
    assert reply is not None
    assert (reply.given_up, reply.turn) == ("mailbox_full", 0)


def test_an_answer_that_is_too_large_fails_its_turn(sim: HeadgateSim) -> None:
    reply = sim.ask("order/17", "order.large", asked.REPLY_BYTES)
    assert reply is not None
    assert reply.given_up == "bad_reply"
    assert "emit what is larger" in reply.message
    reply = sim.ask("order/17", "order.large", asked.REPLY_BYTES - 2)
    assert reply is not None
    assert len(reply.answer.data) == asked.REPLY_BYTES


def test_outputs_beyond_the_size_of_a_reply_are_left_to_the_outbox(
    headgate_sim: HeadgateSim,
) -> None:
    agent = Agent("order")

    @agent.on("*")
    def answer(turn: Turn[Any], event: Event) -> None:
        for _ in range(3):
            turn.emit("order.reply", "x" * 300_000)

    headgate_sim.attach(agent)
    reply = headgate_sim.ask("order/17", "order.ask")
    assert reply is not None
    assert (len(reply.outputs), reply.truncated) == (2, True)
    assert len(headgate_sim.outputs("order/17")) == 3


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (Asked(type="a"), "the id has 0 characters"),
        (Asked(id="x" * 1025, type="a"), "the id has 1025"),
        (Asked(id="a"), "the type has 0"),
        (Asked(id="a", type="headgate.timer"), "Headgate's own"),
        (Asked(id="a", type="a", extensions={"source": "me"}), "'source', which is not allowed"),
    ],
)
def test_what_cannot_be_asked_is_named_and_is_nothing_in_the_inbox(
    event: Asked, fault: str
) -> None:
    assert fault in asked.fault_of(event)
    assert arrived(InboxRecord(asked=event), Origin(topic="inbox")) is None


def test_nobody_chooses_who_is_answered() -> None:
    given = {"replyto": "order/victim", "callid": "1"}
    event = asked.event_of(Asked(id="a", type="t", source="mine", extensions=given))
    assert event.source == asked.SOURCE
    assert dict(event.extensions) == {"replyto": "headgate.door/a", "callid": "a"}
