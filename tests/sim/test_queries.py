"""Queries: read only, beside turns, over the state as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from headgate.sdk import Agent, Event, Log, Turn, log, on, on_query
from headgate.sdk.errors import DefinitionError
from headgate.sdk.query import UnknownQueryError
from headgate.sdk.workflow import Context, Progress
from headgate.sim.face import HeadgateSim


@dataclass
class Cart:
    """What is in it."""

    total: int = 0
    lines: Log[str] = log()  # noqa: RUF009 - declares a field


def cart() -> Agent[Cart]:
    agent = Agent("cart", Cart)

    @agent.on("cart.add")
    def add(turn: Turn[Cart], event: Event) -> None:
        turn.state.total += event.data["cents"]
        turn.state.lines.append(event.data["name"])

    @agent.on_query("total")
    def total(state: Cart, data: Any) -> Any:
        state.total += 1_000  # forgotten
        return {"total": state.total, "asked": data}

    @agent.on_query("lines")
    async def lines(state: Cart, data: Any) -> list[str]:
        return list(state.lines)

    @agent.on_query("raw")
    def raw(state: Cart, data: Any) -> bytes:
        return b"\xff"

    return agent


def test_a_query_reads_and_changes_nothing(headgate_sim: HeadgateSim) -> None:
    headgate_sim.attach(cart())
    headgate_sim.send("cart/1", "cart.add", {"cents": 5, "name": "tea"})
    for _ in range(2):
        found = headgate_sim.query("cart/1", "total", {"by": "ann"})
        assert found == {"total": 1_005, "asked": {"by": "ann"}}
    assert headgate_sim.query("cart/1", "lines") == ["tea"]
    assert headgate_sim.query("cart/1", "raw") == b"\xff"
    assert len(headgate_sim.history("cart/1")) == 1
    assert headgate_sim.state("cart/1").total == 5


def test_an_instance_that_never_was_has_the_state_of_the_beginning(
    headgate_sim: HeadgateSim,
) -> None:
    headgate_sim.attach(cart())
    assert headgate_sim.query("cart/never", "total")["total"] == 1_000


def test_a_query_that_is_not_there_names_those_that_are(headgate_sim: HeadgateSim) -> None:
    headgate_sim.attach(cart())
    with pytest.raises(UnknownQueryError, match=r"no query 'sum'; it has lines, raw, total"):
        headgate_sim.query("cart/1", "sum")


def test_a_workflow_shows_what_it_likes(headgate_sim: HeadgateSim) -> None:
    agent: Agent[Any] = Agent("trip")

    @agent.workflow
    async def trip(ctx: Context, data: Any) -> Any:
        ctx.show(phase="booking")
        await ctx.wait_signal("booked")
        ctx.show(phase="packing", bags=2)
        await ctx.wait_signal("packed")

    @agent.on_query("phase")
    def phase(progress: Progress, data: Any) -> Any:
        return {**progress.shown, "status": progress.status}

    headgate_sim.attach(agent)
    headgate_sim.send("trip/1", "trip.planned")
    assert headgate_sim.query("trip/1", "phase") == {"phase": "booking", "status": "running"}
    headgate_sim.crash()
    headgate_sim.signal("trip/1", "booked")
    expected = {"phase": "packing", "bags": 2, "status": "running"}
    assert headgate_sim.query("trip/1", "phase") == expected


def test_queries_have_names_of_their_own() -> None:
    agent = cart()
    with pytest.raises(DefinitionError, match="two handlers for query 'total'"):
        agent.on_query("total")(lambda state, data: None)
    with pytest.raises(DefinitionError, match="1 to 255"):
        agent.on_query("")


def test_methods_may_be_queries(headgate_sim: HeadgateSim) -> None:
    class Shop:
        name = "shop"

        @on("*")
        def take(self, turn: Turn[Any], event: Event) -> None:
            """Take it."""

        @on_query("open")
        def is_open(self, state: Any, data: Any) -> bool:
            return True

    headgate_sim.attach(Agent.of(Shop()))
    assert headgate_sim.query("shop/1", "open") is True
