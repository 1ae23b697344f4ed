"""The same scenario twice: in memory within milliseconds, and on a real Kafka and Flink.

Both fixtures come with Headgate's pytest plugin; nothing has to be imported or configured.
"""

from typing import Any

import pytest
from agent import Order, agent  # type: ignore[import-not-found]

from headgate.sdk import Agent, Event, Turn


@pytest.fixture(params=["headgate_sim", "headgate_stack"])
def headgate(request: pytest.FixtureRequest) -> Any:
    """Every test of this file runs in both worlds."""
    return request.getfixturevalue(request.param)


def test_an_order_answers_and_remembers(headgate: Any) -> None:
    headgate.attach(agent)
    headgate.send("order/17", "shop.order.message", {"text": "where is it?"})
    headgate.send("order/17", "shop.order.message", {"text": "hello?"})
    assert [output.data["text"] for output in headgate.outputs("order/17")] == [
        "noted: where is it?",
        "noted: hello?",
    ]
    state: Order = headgate.state("order/17")
    assert state.status == "talking"
    assert list(state.notes) == ["where is it?", "hello?"]


def test_a_closed_order_takes_no_more(headgate: Any) -> None:
    headgate.attach(agent)
    headgate.send("order/17", "shop.order.message", {"text": "where is it?"})
    headgate.send("order/17", "shop.order.close")
    headgate.send("order/17", "shop.order.message", {"text": "hello?"})
    assert headgate.outputs("order/17")[-1].data == {"notes": 1}
    [letter] = headgate.dead_letters
    assert letter.reason == "terminal"
    assert letter.message == "the order is closed"


def test_a_producers_repeat_counts_once(headgate: Any) -> None:
    headgate.attach(agent)
    for _ in range(2):
        headgate.send("order/18", "shop.order.message", {"text": "one"}, id="m-1")
    assert len(headgate.outputs("order/18")) == 1


def test_a_second_agent_leaves_the_first_ones_state(headgate: Any) -> None:
    bell: Agent[Any] = Agent("bell")

    @bell.on("ring")
    def ring(turn: Turn[Any], event: Event) -> None:
        turn.emit("rang")

    headgate.attach(agent)
    headgate.send("order/19", "shop.order.message", {"text": "one"})
    assert len(headgate.outputs("order/19")) == 1
    headgate.attach(bell)
    headgate.send("bell/1", "ring")
    headgate.send("order/19", "shop.order.message", {"text": "two"})
    assert [output.type for output in headgate.outputs("bell/1")] == ["rang"]
    assert list(headgate.state("order/19").notes) == ["one", "two"]
