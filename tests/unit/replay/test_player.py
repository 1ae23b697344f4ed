"""Replaying one instance: the requests are those that were, and what comes of them is compared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from headgate.core.identity import digest
from headgate.core.outcome import outcome_of
from headgate.core.trace import is_sampled, unsampled
from headgate.replay.player import Player, Replayed, Way, run
from headgate.replay.recorded import RecordedTurn
from headgate.sdk import Agent, Event, Turn
from headgate.sdk.workflow import Context
from headgate.sim.agents import SimAgent
from headgate.sim.face import HeadgateSim
from headgate.sim.sdk import SdkAgent
from headgate.v1.agent_pb2 import FAILURE_CODE_AGENT_ERROR, Failure, TurnReply, TurnRequest
from headgate.v1.turn_pb2 import Call, Outcome, Policy
from tests.unit.replay.past import Order, lived, order_agent, policy, turns_of


def played(
    turns: list[RecordedTurn],
    agent: Agent[Order] | SimAgent,
    *,
    carries: bool = False,
    calls: list[Call] | None = None,
    by: Policy | None = None,
) -> list[Replayed]:
    """Play turns of one instance; return what came of those that were put."""
    asked = SdkAgent(agent) if isinstance(agent, Agent) else agent

    def ask(call: Call) -> Outcome:
        if calls is not None:
            calls.append(call)
        reply = asked.answer(call.request)
        assert isinstance(reply, TurnReply)
        return outcome_of(
            call, reply, outcome_id=digest("x"), called_us=0, answered_us=0,
            max_record_bytes=1_000_000,
        )  # fmt: skip

    player = Player(Way(by or policy()), carries=carries)
    found = [run(player.play(turn), ask) for turn in turns]
    return [each for each in found if each is not None]


def different(found: list[Replayed]) -> list[int]:
    return [each.turn.number for each in found if each.differences]


def test_requests_are_those_that_the_job_made(headgate_sim: HeadgateSim) -> None:
    # Lists travel in part, as they did.
    address = lived(headgate_sim, log_window=2)
    calls: list[Call] = []
    found = played(
        turns_of(headgate_sim, address), order_agent(), calls=calls, by=policy(log_window=2)
    )
    assert different(found) == []
    made = {call.request.turn: call.request for call in headgate_sim.world.calls
            if call.address == address}  # fmt: skip
    assert len(calls) == len(made) > 5
    for call in calls:
        expected = TurnRequest()
        expected.CopyFrom(made[call.request.turn])
        # It names a call on its connection and no more.
        expected.request_id = call.request.request_id
        # In its trace, and not recorded again.
        assert is_sampled(expected.traceparent)
        expected.traceparent = unsampled(expected.traceparent)
        assert call.request == expected
    names = {call.request.request_id for call in calls}
    assert len(names) == len(calls)


def test_another_revision_differs_in_its_own_turns_or_from_the_first_on(
    headgate_sim: HeadgateSim,
) -> None:
    address = lived(headgate_sim)
    turns = turns_of(headgate_sim, address)
    taxed = order_agent("2", tax=1)
    items = [t.number for t in turns if any(e.type == "order.item" for e in t.events)]
    assert different(played(turns, taxed)) == items
    carried = played(turns, taxed, carries=True)
    # Every turn after the first has another total in its state.
    assert different(carried) == [each.turn.number for each in carried]
    first = carried[0].differences[0]
    assert (first.name, first.recorded, first.replayed) == ("total", 5, 6)
    [total] = [d for d in carried[2].differences if d.name == "total"]
    # 5 + 1 + (2 + 3 + 4), and one more for each of the five.
    assert (total.recorded, total.replayed) == (15, 20)


def test_a_reset_happens_again(headgate_sim: HeadgateSim) -> None:
    address = lived(headgate_sim)
    headgate_sim.control(address, "reset")
    headgate_sim.send(address, "order.item", {"amount": 7})
    last = played(turns_of(headgate_sim, address), order_agent(tax=1), carries=True)[-1]
    assert [(d.name, d.recorded, d.replayed) for d in last.differences[:1]] == [("total", 7, 8)]


def test_where_turns_are_missing_the_recorded_state_is_taken_up(headgate_sim: HeadgateSim) -> None:
    address = lived(headgate_sim)
    turns = turns_of(headgate_sim, address)
    del turns[1]
    found = played(turns, order_agent(tax=1), carries=True)
    assert [each.is_fresh for each in found[:3]] == [False, True, False]
    # 6, as was recorded before turn 3, and its three items.
    [total] = [d for d in found[1].differences if d.name == "total"]
    assert (total.recorded, total.replayed) == (15, 18)


def test_a_gap_before_a_reset_is_told_at_the_next_turn(headgate_sim: HeadgateSim) -> None:
    address = lived(headgate_sim)
    headgate_sim.control(address, "reset")
    headgate_sim.send(address, "order.item", {"amount": 7})
    turns = turns_of(headgate_sim, address)
    del turns[-3]
    found = played(turns, order_agent(), carries=True)
    assert [each.turn.number for each in found if each.is_fresh] == [turns[-1].number]


def test_a_failure_that_is_new_gives_up_its_event_and_the_rest_goes_on(
    headgate_sim: HeadgateSim,
) -> None:
    address = lived(headgate_sim)
    turns = [turn for turn in turns_of(headgate_sim, address) if len(turn.events) == 3]
    [batch] = turns
    agent: Agent[Order] = Agent("order", Order)

    @agent.on("*")
    def choosy(turn: Turn[Order], event: Event) -> None:
        if event.data["amount"] == 3:
            message = "not three"
            raise ValueError(message)
        turn.state.total += event.data["amount"]
        turn.emit("order.total", {"amount": event.data["amount"]})

    calls: list[Call] = []
    [found] = played([batch], agent, calls=calls)
    assert [len(call.request.events) for call in calls] == [3, 1]
    assert found.came.verdict == f"failed agent_error of {batch.events[1].id}"
    assert found.came.stored.values["total"] == b"12"
    assert [output.cause for output in found.came.outputs] == [0, 2]


class VagueAgent:
    """Fails whole batches without saying of which event; alone each succeeds."""

    def answer(self, request: TurnRequest) -> TurnReply:
        reply = TurnReply(request_id=request.request_id, base=request.base)
        if len(request.events) > 1:
            reply.failed.CopyFrom(Failure(code=FAILURE_CODE_AGENT_ERROR, message="somewhere"))
        else:
            reply.taken_event_ids.append(request.events[0].id)
            reply.completed.SetInParent()
        return reply

    def takes_ms(self, request: TurnRequest) -> int:
        return 0


class LiarAgent(VagueAgent):
    """Answers for another base."""

    def answer(self, request: TurnRequest) -> TurnReply:
        reply = TurnReply(request_id=request.request_id, base=b"x" * 16)
        reply.completed.SetInParent()
        return reply


def test_a_batch_that_fails_as_a_whole_is_put_one_by_one(headgate_sim: HeadgateSim) -> None:
    turns = turns_of(headgate_sim, lived(headgate_sim))
    batch = [turn for turn in turns if len(turn.events) == 3]
    calls: list[Call] = []
    [found] = played(batch, VagueAgent(), calls=calls)
    assert [len(call.request.events) for call in calls] == [3, 1, 1, 1]
    assert len({call.request.request_id for call in calls}) == 4
    assert found.came.verdict == "completed"


def test_an_answer_that_breaks_the_contract_is_a_failure_as_in_the_job(
    headgate_sim: HeadgateSim,
) -> None:
    turns = turns_of(headgate_sim, lived(headgate_sim))
    found = played(turns[:1], LiarAgent())
    assert found[0].came.verdict.startswith("failed bad_reply of ")
    assert "base" in found[0].came.message


def test_the_prefix_of_a_failed_batch_is_compared_as_what_it_did(headgate_sim: HeadgateSim) -> None:
    headgate_sim.attach(order_agent(), policy=policy(max_attempts=2))
    address = "order/18"
    headgate_sim.send(address, "order.item", {"amount": 1})
    headgate_sim.run()
    for kind in ("order.item", "order.unheard", "order.item"):
        headgate_sim.send(address, kind, {"amount": 1})
    turns = turns_of(headgate_sim, address)
    # The batch failed at its second event, which was given up after another attempt.
    assert [turn.outcome.WhichOneof("verdict") for turn in turns].count("failed") >= 1
    assert different(played(turns, order_agent())) == []
    assert different(played(turns, order_agent(), carries=True)) == []


def test_a_workflow_comes_to_the_same_from_memory_and_from_its_steps(
    headgate_sim: HeadgateSim,
) -> None:
    """Its steps name the time; of a run that is not in memory all of them are asked for."""

    def trip() -> Agent[Any]:
        agent: Agent[Any] = Agent("trip")

        @agent.workflow
        async def run(ctx: Context, data: Any) -> Any:
            ctx.show(customer=data)
            names = [await ctx.wait_signal("name") for _ in range(3)]
            await ctx.sleep(timedelta(minutes=5))
            return names

        return agent

    headgate_sim.attach(trip(), policy=policy(log_window=1))
    headgate_sim.send("trip/1", "trip.asked", "ann")
    headgate_sim.run()
    for name in "abc":
        headgate_sim.signal("trip/1", "name", name)
        headgate_sim.advance(1)
    headgate_sim.advance(timedelta(hours=1))
    assert headgate_sim.state("trip/1").result == ["a", "b", "c"]
    turns = turns_of(headgate_sim, "trip/1")
    for carries in (False, True):
        calls: list[Call] = []
        found = played(turns, trip(), carries=carries, calls=calls, by=policy(log_window=1))
        assert [list(map(str, each.differences)) for each in found] == [[]] * len(found)
        assert any(call.whole_lists for call in calls) is not carries
