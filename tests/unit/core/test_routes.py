"""Who gets an event: topics, patterns, fan-out, agents that drain."""

from __future__ import annotations

import pytest

from headgate.core.decode import Record
from headgate.core.letters import LETTER_BYTES
from headgate.core.routes import KNOWN_TYPES, Routes, letter_for_nobody
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import AgentSpec, Route


def agent(name: str, *routes: tuple[str, str], draining: bool = False) -> AgentSpec:
    """Return a spec with routes (topic, type pattern)."""
    made = [Route(topic=topic, type=pattern) for topic, pattern in routes]
    return AgentSpec(type=name, routes=made, draining=draining)


def routes(*specs: AgentSpec) -> Routes:
    """Return the routes of these agents."""
    return Routes({spec.type: spec for spec in specs})


SHOP = routes(
    agent("order", ("shop", "shop.order.*"), ("shop", "shop.order.paid")),
    agent("audit", ("shop", ""), ("web", "*")),
    agent("paid", ("shop", "*.*.paid"), ("other", "")),
    agent("idle"),
    agent("gone", ("shop", ""), draining=True),
)


@pytest.mark.parametrize(
    ("topic", "event_type", "found"),
    [
        ("shop", "shop.order.paid", ("audit", "order", "paid")),
        ("shop", "shop.order", ("audit",)),
        ("web", "anything", ("audit",)),
        ("other", "x", ("paid",)),
        ("shop", "shop.order.paid.twice", ("audit", "order")),
        ("shop", "myshop.order.paid", ("audit", "paid")),
        ("shop", "shop.order.paidx", ("audit", "order")),
        ("nowhere", "shop.order.paid", ()),
    ],
)
def test_an_event_goes_to_all_that_match_once(
    topic: str, event_type: str, found: tuple[str, ...]
) -> None:
    assert SHOP.find(topic, event_type) == found
    assert SHOP.find(topic, event_type) == found, "the second time it is looked up"


def test_types_that_producers_make_up_do_not_pile_up() -> None:
    made = routes(agent("audit", ("shop", "")))
    for number in range(KNOWN_TYPES + 10):
        assert made.find("shop", f"type-{number}") == ("audit",)
    assert len(made._known) <= KNOWN_TYPES


def test_the_dead_letter_names_place_type_and_what_to_do() -> None:
    record = Record("shop", 3, 42, 7, b"k", b"x" * (LETTER_BYTES + 1), {"h": b"v", "empty": None})
    letter = letter_for_nobody(record, Event(id="e1", type="shop.new"))
    assert letter.reason == "no_route"
    assert "shop/3@42" in letter.message
    assert "'shop.new'" in letter.message
    assert "headgate agents" in letter.message
    assert (letter.event_id, letter.event_type, letter.id) == ("e1", "shop.new", "shop/3/42")
    assert letter.truncated
    assert dict(letter.record_headers) == {"h": b"v", "empty": b""}
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == ("shop", 3, 42)
