"""Agents find the handler for an event, and refuse what cannot work."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from headgate.core.patterns import compile_pattern
from headgate.sdk import Agent, Event, Turn, on, on_signal, on_timer
from headgate.sdk.errors import DefinitionError, UnhandledEventError
from headgate.sdk.testing import AgentTester


@pytest.mark.parametrize(
    ("pattern", "event_type", "matches"),
    [
        ("shop.paid", "shop.paid", True),
        ("shop.paid", "shop.paid.late", False),
        ("shop.paid", "shopXpaid", False),
        ("shop.*", "shop.paid", True),
        ("shop.*", "shop.order.paid", True),
        ("shop.*", "shop", False),
        ("shop.*", "shop.", False),
        ("shop.*.paid", "shop.order.paid", True),
        ("shop.*.paid", "shop.a.b.paid", False),
        ("shop.*.*", "shop.order.paid.late", True),
        ("*", "anything.at.all", True),
    ],
)
def test_patterns(pattern: str, event_type: str, matches: bool) -> None:
    assert bool(compile_pattern(pattern).regex.fullmatch(event_type)) is matches


@pytest.mark.parametrize("backwards", [False, True])
def test_the_most_specific_pattern_wins_in_any_order(backwards: bool) -> None:
    patterns = ["*", "shop.*", "shop.*.paid", "shop.order.*", "shop.order.paid"]
    agent = Agent("a")
    for pattern in reversed(patterns) if backwards else patterns:
        agent.on(pattern)(lambda turn, event, pattern=pattern: turn.emit(pattern))
    tester = AgentTester(agent)
    for event_type, winner in {
        "shop.order.paid": "shop.order.paid",
        "shop.cake.paid": "shop.*.paid",
        "shop.order.lost": "shop.order.*",
        "shop.lost": "shop.*",
        "bank.paid": "*",
    }.items():
        assert tester.send("1", event_type).outputs[0].type == winner


def test_a_handler_added_later_is_found_for_a_type_seen_before() -> None:
    agent = Agent("a")
    agent.on("*")(print)
    assert agent.handler_for("x.y").call is print
    agent.on("x.*")(repr)
    assert agent.handler_for("x.y").call is repr


def test_types_from_outside_do_not_fill_memory() -> None:
    agent = Agent("a")
    agent.on("*")(print)
    for number in range(5000):
        agent.handler_for(f"t.{number}")
    assert len(agent._found) <= 1024


def test_no_handler_is_told() -> None:
    agent = Agent("a")
    agent.on("shop.*")(print)
    with pytest.raises(UnhandledEventError, match=r"'a' has no handler .* 'bank\.paid'"):
        agent.handler_for("bank.paid")


def test_describe_tells_patterns_and_none_for_every_type() -> None:
    agent = Agent("a", revision="7", summary="S")
    agent.on("b.*")(print)
    agent.on("a.x")(print)
    told = agent.describe()
    assert (told.type, told.revision, told.summary) == ("a", "7", "S")
    assert list(told.event_types) == ["a.x", "b.*"]
    agent.on("*")(print)
    assert list(agent.describe().event_types) == []


@dataclass
class Count:
    seen: int = 0


class Counter:
    """Counts.

    At length.
    """

    name = "counter"
    state = Count
    revision = "2"

    @on("a.*")
    @on("b.*")
    def count(self, turn: Turn[Count], event: Event) -> None:
        turn.state.seen += 1


def test_a_class_makes_an_agent() -> None:
    agent = Agent.of(Counter())
    told = agent.describe()
    assert (told.type, told.revision, told.summary) == ("counter", "2", "Counts.")
    tester = AgentTester(agent)
    tester.send("1", "a.x")
    assert tester.send("1", "b.x").state == Count(2)


def test_a_class_without_a_name_is_refused() -> None:
    with pytest.raises(DefinitionError, match="class attribute `name`"):
        Agent.of(object())


@pytest.mark.parametrize("name", ["", "Order", "a/b", "-a", "a" * 64])
def test_names_outside_the_contract_are_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="agent name"):
        Agent(name)


async def asynchronous(turn: Any, event: Any) -> None: ...


def generator(turn: Any, event: Any) -> Iterator[int]:
    yield 1


async def async_generator(turn: Any, event: Any) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "threads", "told"),
    [
        (asynchronous, True, "not for async def"),
        (generator, False, "must not yield"),
        (async_generator, False, "must not yield"),
    ],
)
def test_handlers_that_cannot_work_are_refused(function: Any, threads: bool, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        Agent("a").on("*", threads=threads)(function)


def test_two_handlers_for_one_pattern_are_refused() -> None:
    agent = Agent("a")
    agent.on("x")(print)
    with pytest.raises(DefinitionError, match="two handlers for 'x'"):
        agent.on("x")(print)


class AsyncCallable:
    async def __call__(self, turn: Any, event: Any) -> None:
        turn.emit("done")


def test_an_object_with_an_async_call_is_awaited() -> None:
    agent = Agent("a")
    agent.on("*")(AsyncCallable())
    tester = AgentTester(agent)
    try:
        assert [output.type for output in tester.send("1", "x").outputs] == ["done"]
    finally:
        tester.close()


def test_timers_and_signals_have_handlers_of_their_own_by_name() -> None:
    agent = Agent("a")
    agent.on_timer("remind")(print)
    agent.on_timer("*")(repr)
    agent.on_signal("approve")(len)
    agent.on("shop.*")(abs)
    assert agent.handler_for("headgate.timer", "remind").call is print
    assert agent.handler_for("headgate.timer", "other").call is repr
    assert agent.handler_for("headgate.signal", "approve").call is len
    # A subject of other events names no handler.
    assert agent.handler_for("shop.paid", "remind").call is abs
    with pytest.raises(UnhandledEventError, match=r"'headgate\.signal' named 'reject'"):
        agent.handler_for("headgate.signal", "reject")
    assert list(agent.describe().event_types) == ["headgate.signal", "headgate.timer", "shop.*"]


def test_a_name_has_one_handler() -> None:
    agent = Agent("a")
    agent.on_signal("approve")(print)
    for name, message in (("approve", "two handlers for headgate.signal 'approve'"), ("", "name")):
        with pytest.raises(DefinitionError, match=message):
            agent.on_signal(name)(print)


def test_methods_take_timers_and_signals_too() -> None:
    class Order:
        name = "order"

        @on_timer("remind")
        def remind(self, turn: Turn[Any], event: Event) -> None:
            turn.emit("reminded")

        @on_signal("approve", threads=True)
        def approve(self, turn: Turn[Any], event: Event) -> None:
            turn.emit("approved")

    agent = Agent.of(Order())
    assert agent.handler_for("headgate.signal", "approve").in_thread
    result = AgentTester(agent).send("1", "headgate.timer", subject="remind")
    assert result.outputs[0].type == "reminded"
