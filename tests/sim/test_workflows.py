"""Durable workflows in memory: each step once, through crashes, with and without their memory."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from headgate.sdk import Agent, Event, Park, Refusal, RetryableError, TerminalError, Turn
from headgate.sdk.workflow import ActivityError, CallError, Cancelled, Context
from headgate.sdk.workflow import engine as engine_module
from headgate.sim.face import HeadgateSim, default_policy


@pytest.fixture(params=["remembered", "forgotten"], autouse=True)
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs stay in the service's memory between turns, or are run again with each."""
    found: str = request.param
    if found == "forgotten":
        monkeypatch.setattr(engine_module, "REMEMBERED_RUNS", 0)
    return found


class World:
    """What activities do to the outside: each call is noted."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: dict[str, int] = {}

    async def pay(self, amount: int) -> Any:
        return self._do("pay", {"paid": amount})

    def ship(self, what: str) -> Any:
        return self._do("ship", f"shipped {what}")

    async def refund(self, amount: int) -> None:
        self._do("refund", amount)

    def unship(self) -> None:
        self._do("unship", None)

    def _do(self, name: str, result: Any) -> Any:
        self.calls.append(name)
        if self.failing.get(name, 0) > 0:
            self.failing[name] -= 1
            message = f"{name} is not there"
            raise ConnectionError(message)
        return result


@pytest.fixture
def outside() -> World:
    return World()


def flow(name: str = "flow") -> tuple[Agent[Any], list[Any]]:
    """Return an agent, and a list for what its code sees."""
    return Agent(name), []


def attach(sim: HeadgateSim, *agents: Agent[Any], **policy: int) -> None:
    for agent in agents:
        given = default_policy()
        for name, value in policy.items():
            setattr(given, name, value)
        sim.attach(agent, policy=given)


def test_a_workflow_waits_for_activities_sleeps_and_signals(
    headgate_sim: HeadgateSim, outside: World
) -> None:
    agent, seen = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        began = ctx.now
        paid = await ctx.activity(outside.pay, data["amount"])
        await ctx.sleep(timedelta(days=30))
        seen.append((ctx.now - began).days)
        by = await ctx.wait_signal("approve")
        ctx.emit("order.done", by)
        return {**paid, "shipped": await ctx.activity(outside.ship, "cake")}

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "order.begin", {"amount": 3})
    headgate_sim.run()
    assert outside.calls == ["pay"]
    headgate_sim.crash()
    headgate_sim.advance(timedelta(days=30, seconds=1))
    assert headgate_sim.state("flow/1").status == "running"
    headgate_sim.signal("flow/1", "approve", {"by": "ann"})
    state = headgate_sim.state("flow/1")
    assert (state.status, state.result) == ("completed", {"paid": 3, "shipped": "shipped cake"})
    assert [each.data for each in headgate_sim.outputs("flow/1")] == [{"by": "ann"}]
    assert outside.calls == ["pay", "ship"]
    assert set(seen) == {30}


def test_the_signal_that_starts_does_so_once(headgate_sim: HeadgateSim) -> None:
    """What was told before waits for it; a second start is nothing, before the end and after it."""
    agent, seen = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        seen.append(data)
        return [data, await ctx.wait_signal("approve"), await ctx.wait_signal("approve")]

    attach(headgate_sim, agent)
    headgate_sim.signal("flow/1", "approve", "early")
    headgate_sim.run()
    assert seen == []
    headgate_sim.signal("flow/1", "headgate.start", {"n": 1})
    headgate_sim.signal("flow/1", "headgate.start", {"n": 2})
    headgate_sim.run()
    assert headgate_sim.state("flow/1").status == "running"
    headgate_sim.signal("flow/1", "approve", "late")
    headgate_sim.run()
    headgate_sim.signal("flow/1", "headgate.start", {"n": 3})
    headgate_sim.run()
    state = headgate_sim.state("flow/1")
    assert (state.status, state.result) == ("completed", [{"n": 1}, "early", "late"])
    assert headgate_sim.dead_letters == []


def test_a_result_is_journaled_before_the_next_activity_begins(
    headgate_sim: HeadgateSim, outside: World
) -> None:
    """Each is a turn of its own; side by side they share one."""
    agent, _ = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        await ctx.activity(outside.pay, 1)
        await ctx.activity(outside.ship, "a")
        return await ctx.gather(ctx.activity(outside.pay, 2), ctx.activity(outside.ship, "b"))

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    assert headgate_sim.state("flow/1").result == [{"paid": 2}, "shipped b"]
    steps = [
        [m.append for m in each.outcome.mutations if m.name == "steps" and m.append]
        for each in headgate_sim.history("flow/1")
    ]
    assert [len(each) for each in steps] == [1, 1, 2]


def test_an_activity_is_tried_again_after_pauses_then_fails(
    headgate_sim: HeadgateSim, outside: World
) -> None:
    outside.failing = {"pay": 2, "ship": 99}
    agent, seen = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        await ctx.activity(outside.pay, 1)
        try:
            await ctx.activity(outside.ship, "a", attempts=3, backoff=timedelta(hours=1))
        except ActivityError as error:
            seen.append(str(error))
            return "given up"

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    headgate_sim.advance(10)
    assert outside.calls == ["pay"] * 3 + ["ship"]
    headgate_sim.advance(timedelta(hours=4))
    assert headgate_sim.state("flow/1").result == "given up"
    assert outside.calls.count("ship") == 3
    assert seen[0] == "ConnectionError: ship is not there"


def test_terminal_errors_are_not_tried_again_and_a_pause_may_be_asked_for(
    headgate_sim: HeadgateSim,
) -> None:
    calls: list[str] = []
    agent, _ = flow()

    def hopeless() -> None:
        calls.append("hopeless")
        message = "no such card"
        raise TerminalError(message)

    def busy() -> str:
        calls.append("busy")
        if calls.count("busy") == 1:
            message = "come back"
            raise RetryableError(message, after=3_600)
        return "done"

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        with pytest.raises(ActivityError, match="no such card"):
            await ctx.activity(hopeless)
        return await ctx.activity(busy)

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    headgate_sim.advance(3_000)
    assert calls == ["hopeless", "busy"]
    headgate_sim.advance(1_000)
    assert headgate_sim.state("flow/1").result == "done"


def test_what_comes_too_late(headgate_sim: HeadgateSim) -> None:
    agent, _ = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        try:
            return await ctx.wait_signal("approve", timeout=timedelta(days=2))
        except TimeoutError:
            return "nobody"

    attach(headgate_sim, agent)
    for key in ("late", "soon"):
        headgate_sim.send(f"flow/{key}", "begin")
    headgate_sim.signal("flow/soon", "approve", 1)
    headgate_sim.advance(timedelta(days=3))
    assert headgate_sim.state("flow/soon").result == 1
    assert headgate_sim.state("flow/late").result == "nobody"
    headgate_sim.signal("flow/late", "approve", 1)
    [letter] = headgate_sim.dead_letters
    assert "has ended (completed)" in letter.message


def test_signals_that_come_before_the_start_are_kept(headgate_sim: HeadgateSim) -> None:
    agent, _ = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        return [data, await ctx.wait_signal("a"), await ctx.wait_signal("a")]

    attach(headgate_sim, agent)
    for number in (1, 2):
        headgate_sim.signal("flow/1", "a", number)
    headgate_sim.signal("flow/2", "headgate.cancel")
    headgate_sim.run()
    headgate_sim.crash()
    for key in ("1", "2"):
        headgate_sim.send(f"flow/{key}", "begin", "go")
    assert headgate_sim.state("flow/1").result == ["go", 1, 2]
    assert headgate_sim.state("flow/2").status == "cancelled"
    assert headgate_sim.dead_letters == []


def test_the_first_wins_and_the_others_are_cancelled(headgate_sim: HeadgateSim) -> None:
    agent, seen = flow()

    async def slow(ctx: Context) -> None:
        try:
            await ctx.sleep(timedelta(days=9))
        except Cancelled:
            seen.append("cancelled")
            raise

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        place, value = await ctx.race(slow(ctx), ctx.wait_signal("a"), ctx.wait_signal("b"))
        left = await ctx.wait_signal("a")
        return [place, value, left]

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    headgate_sim.signal("flow/1", "b", "first")
    headgate_sim.signal("flow/1", "a", "second")
    assert headgate_sim.state("flow/1").result == [2, "first", "second"]
    assert "cancelled" in seen
    control = headgate_sim.world.gate.store.control("flow/1")
    assert control is not None
    assert not control.timers


def test_a_condition_over_the_workflows_own_variables(headgate_sim: HeadgateSim) -> None:
    agent, _ = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        came: list[int] = []

        async def collect() -> None:
            while True:
                came.append(await ctx.wait_signal("item"))

        ctx.start(collect())
        await ctx.wait_until(lambda: sum(came) >= 6)
        return came

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    for number in (1, 2, 3):
        headgate_sim.signal("flow/1", "item", number)
        headgate_sim.run()
    assert headgate_sim.state("flow/1").result == [1, 2, 3]


def test_what_was_done_is_undone_in_reverse(headgate_sim: HeadgateSim, outside: World) -> None:
    agent, _ = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        await ctx.activity(outside.pay, 3)
        ctx.compensate(outside.refund, 3)
        await ctx.activity(outside.ship, "cake")
        ctx.compensate(outside.unship)
        await ctx.wait_signal("keep", timeout=timedelta(days=1))

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    headgate_sim.send("flow/2", "begin")
    headgate_sim.run()
    headgate_sim.signal("flow/2", "headgate.cancel")
    assert headgate_sim.state("flow/2").status == "cancelled"
    assert outside.calls[-2:] == ["unship", "refund"]
    headgate_sim.advance(timedelta(days=2))
    state = headgate_sim.state("flow/1")
    assert (state.status, outside.calls[-2:]) == ("failed", ["unship", "refund"])
    assert "TimeoutError: signal 'keep' did not come" in state.error
    assert outside.calls.count("refund") == 2


def test_what_cannot_be_undone_keeps_nothing_else_from_being_undone(
    headgate_sim: HeadgateSim, outside: World
) -> None:
    agent, _ = flow()

    def cannot() -> None:
        message = "it is gone"
        raise TerminalError(message)

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        ctx.compensate(outside.refund, 3)
        ctx.compensate(cannot)
        ctx.compensate(outside.unship)
        await ctx.wait_signal("never", timeout=timedelta(days=1))

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    headgate_sim.send("flow/2", "begin")
    headgate_sim.signal("flow/2", "headgate.cancel")
    for address, why in (("flow/2", "cancelled"), ("flow/1", "signal 'never' did not come")):
        state = headgate_sim.state(address)
        assert outside.calls[-2:] == ["unship", "refund"]
        assert state.status == "failed"
        assert f"CompensationError: {why}" in state.error
        assert "not undone: cannot (TerminalError: it is gone)" in state.error
        outside.calls.clear()
        headgate_sim.advance(timedelta(days=2))


def test_one_that_is_terminated_ends_at_once(headgate_sim: HeadgateSim, outside: World) -> None:
    caller, _ = flow("caller")

    def make(kind: str) -> Agent[Any]:
        made, _ = flow()

        @made.workflow
        async def order(ctx: Context, data: Any) -> Any:
            ctx.compensate(outside.refund, 3)
            # Another code makes other steps: it could not be run again.
            await (ctx.sleep(timedelta(days=1)) if kind == "old" else ctx.wait_signal("x"))

        return made

    @caller.workflow
    async def call(ctx: Context, data: Any) -> Any:
        with pytest.raises(CallError, match="terminated: enough"):
            await ctx.call("flow/1", "begin")
        return "told"

    attach(headgate_sim, make("old"), caller)
    headgate_sim.send("caller/1", "begin")
    headgate_sim.run()
    attach(headgate_sim, make("new"))
    headgate_sim.crash()
    for _ in range(2):
        headgate_sim.signal("flow/1", "headgate.terminate", "enough")
    state = headgate_sim.state("flow/1")
    assert (state.status, state.error, state.pending) == ("terminated", "enough", {})
    assert headgate_sim.state("caller/1").result == "told"
    headgate_sim.advance(timedelta(days=2))
    assert len(headgate_sim.history("flow/1")) == 3, "its timer is gone"
    assert outside.calls == []
    # Before the start there is nothing to end.
    headgate_sim.signal("flow/2", "headgate.terminate")
    assert headgate_sim.state("flow/2").status == "new"


def test_a_workflow_that_parks_is_not_undone(headgate_sim: HeadgateSim, outside: World) -> None:
    def make(mended: bool) -> Agent[Any]:
        agent, _ = flow()

        @agent.workflow
        async def order(ctx: Context, data: Any) -> Any:
            await ctx.activity(outside.pay, 3)
            ctx.compensate(outside.refund, 3)
            if not mended:
                message = "look at me"
                raise Park(message)
            return await ctx.activity(outside.ship, "cake")

        return agent

    attach(headgate_sim, make(mended=False))
    headgate_sim.send("flow/1", "begin")
    assert headgate_sim.is_parked("flow/1")
    attach(headgate_sim, make(mended=True))
    headgate_sim.control("flow/1", "resume")
    assert headgate_sim.state("flow/1").result == "shipped cake"
    assert "refund" not in outside.calls


def test_another_agent_and_another_workflow_are_called(headgate_sim: HeadgateSim) -> None:
    agent, _ = flow()
    child, _ = flow("child")
    shop: Agent[Any] = Agent("shop")

    @shop.on("shop.price")
    def price(turn: Turn[Any], event: Event) -> Any:
        return {"price": 3} if event.data == "cake" else Refusal(f"no {event.data} here")

    @child.workflow
    async def wait(ctx: Context, data: Any) -> Any:
        await ctx.sleep(timedelta(hours=1))
        if data == "bad":
            message = "it was bad"
            raise ValueError(message)
        return f"waited for {data}"

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        found = await ctx.call("shop/1", "shop.price", "cake")
        with pytest.raises(CallError, match="no tea here"):
            await ctx.call("shop/1", "shop.price", "tea")
        with pytest.raises(CallError, match="it was bad"):
            await ctx.call("child/2", "begin", "bad")
        with pytest.raises(TimeoutError):
            await ctx.call("child/3", "begin", "long", timeout=timedelta(minutes=1))
        return [found, await ctx.call("child/1", "begin", "good")]

    attach(headgate_sim, agent, child, shop)
    headgate_sim.send("flow/1", "begin")
    headgate_sim.advance(timedelta(hours=3))
    headgate_sim.advance(timedelta(hours=3))
    assert headgate_sim.state("flow/1").result == [{"price": 3}, "waited for good"]
    assert headgate_sim.dead_letters == []


def test_a_loop_that_never_ends_forgets_its_steps(headgate_sim: HeadgateSim) -> None:
    agent, _ = flow()

    @agent.workflow
    async def count(ctx: Context, data: Any) -> Any:
        total = data + await ctx.wait_signal("add")
        if total < 10:
            ctx.continue_as_new(total)
        return [total, ctx.run]

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin", 0)
    for _ in range(5):
        headgate_sim.signal("flow/1", "add", 2)
    state = headgate_sim.state("flow/1")
    assert (state.result, len(state.steps)) == ([10, 5], 1)


def test_random_and_now_are_the_same_when_it_is_run_again(headgate_sim: HeadgateSim) -> None:
    agent, seen = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        seen.append((ctx.random.random(), ctx.now, ctx.uuid()))
        await ctx.wait_signal("go")
        seen.append((ctx.random.random(), ctx.now, ctx.uuid()))
        await ctx.wait_signal("go")

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    for _ in range(2):
        headgate_sim.advance(60)
        headgate_sim.signal("flow/1", "go")
        headgate_sim.run()
    assert headgate_sim.state("flow/1").status == "completed"
    assert len(set(seen)) == 2


def replace(sim: HeadgateSim, code: Any, **policy: int) -> None:
    """Deploy other code under the same name."""
    agent: Agent[Any] = Agent("flow")
    agent.workflow(code)
    attach(sim, agent, **policy)


def test_code_that_asks_for_other_steps_parks_and_goes_on_once_it_is_mended(
    headgate_sim: HeadgateSim, outside: World
) -> None:
    async def first(ctx: Context, data: Any) -> Any:
        await ctx.activity(outside.pay, 1)
        return await ctx.wait_signal("go")

    async def other(ctx: Context, data: Any) -> Any:
        await ctx.sleep(timedelta(1))
        return await ctx.wait_signal("go")

    async def longer(ctx: Context, data: Any) -> Any:
        await ctx.activity(outside.pay, 1)
        await ctx.sleep(timedelta(1))
        return await ctx.wait_signal("go")

    replace(headgate_sim, first)
    for key in ("1", "2"):
        headgate_sim.send(f"flow/{key}", "begin")
    headgate_sim.run()
    for key, code, asked in (("1", other, "'sleep '"), ("2", longer, "'sleep '")):
        replace(headgate_sim, code)
        headgate_sim.signal(f"flow/{key}", "go", key)
        assert headgate_sim.is_parked(f"flow/{key}")
        message = headgate_sim.history(f"flow/{key}")[-1].outcome.failed.message
        assert f"flow/{key}: step" in message
        assert asked in message
    replace(headgate_sim, first)
    for key in ("1", "2"):
        headgate_sim.control(f"flow/{key}", "resume")
        assert headgate_sim.state(f"flow/{key}").result == key
    assert outside.calls == ["pay", "pay"]


def test_a_patch_tells_old_runs_from_new_ones(headgate_sim: HeadgateSim, outside: World) -> None:
    async def before(ctx: Context, data: Any) -> Any:
        await ctx.wait_signal("go")
        return "old"

    async def after(ctx: Context, data: Any) -> Any:
        if ctx.patched("pay first"):
            await ctx.activity(outside.pay, 1)
        await ctx.wait_signal("go")
        return "new" if outside.calls else "old"

    replace(headgate_sim, before)
    headgate_sim.send("flow/old", "begin")
    headgate_sim.run()
    replace(headgate_sim, after)
    headgate_sim.signal("flow/old", "go")
    assert headgate_sim.state("flow/old").result == "old"
    headgate_sim.send("flow/new", "begin")
    headgate_sim.run()
    headgate_sim.signal("flow/new", "go")
    assert headgate_sim.state("flow/new").result == "new"
    assert outside.calls == ["pay"]


def test_awaiting_anything_else_parks(headgate_sim: HeadgateSim) -> None:
    agent, _ = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        await asyncio.sleep(1)

    attach(headgate_sim, agent)
    headgate_sim.send("flow/1", "begin")
    assert headgate_sim.is_parked("flow/1")
    assert "put I/O into activities" in headgate_sim.history("flow/1")[-1].outcome.failed.message


def test_more_steps_than_travel_with_a_turn(headgate_sim: HeadgateSim, memory: str) -> None:
    """Steps that are not there are asked for, once for each turn that finds no run in memory."""
    agent, _ = flow()

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        return sum([await ctx.wait_signal("add") for _ in range(40)])

    attach(headgate_sim, agent, log_window=5)
    headgate_sim.send("flow/1", "begin")
    for number in range(40):
        headgate_sim.signal("flow/1", "add", number)
        headgate_sim.run()
    assert headgate_sim.state("flow/1").result == sum(range(40))
    asked = [h for h in headgate_sim.history("flow/1") if h.outcome.failed.wants_whole_lists]
    assert (len(asked) > 0) == (memory == "forgotten")
    assert headgate_sim.dead_letters == []


@pytest.mark.parametrize("seed", range(12))
def test_crashes_at_any_moment_change_nothing(headgate_sim: HeadgateSim, seed: int) -> None:
    """A workflow of every kind of step ends as it does in peace; the journal has each step once."""
    chance = random.Random(seed)  # noqa: S311 - chosen faults
    calls: list[int] = []
    agent, _ = flow()
    shop: Agent[Any] = Agent("shop")
    shop.on("shop.add")(lambda turn, event: event.data + 1)

    def note(number: int) -> int:
        calls.append(number)
        return number

    @agent.workflow
    async def order(ctx: Context, data: Any) -> Any:
        total = 0
        for number in range(6):
            total += await ctx.activity(note, number)
            ctx.emit("said", number)
            total = await ctx.call("shop/1", "shop.add", total)
            await ctx.sleep(timedelta(seconds=2))
            total += await ctx.wait_signal("add")
        return total

    attach(headgate_sim, agent, shop, max_batch=chance.choice((1, 4)))
    headgate_sim.send("flow/1", "begin")
    added = 0
    for _ in range(60):
        match chance.randrange(6):
            case 0:
                headgate_sim.crash()
            case 1:
                headgate_sim.crash(back=chance.randrange(3))
            case 2:
                headgate_sim.checkpoint()
            case 3 if added < 6:
                added += 1
                headgate_sim.signal("flow/1", "add", 10)
            case _:
                headgate_sim.advance(chance.choice((0.01, 0.5, 2)))
    for _ in range(6 - added):
        headgate_sim.signal("flow/1", "add", 10)
    headgate_sim.advance(60)
    headgate_sim.advance(60)
    assert headgate_sim.state("flow/1").result == sum(range(6)) + 6 + 60
    assert [each.data for each in headgate_sim.outputs("flow/1")] == list(range(6))
    assert [*dict.fromkeys(calls)] == list(range(6))
