"""Intake as an object, without a cluster: who gets a record, and what becomes of the rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.core.decode import TopicRule
from headgate.core.identity import partition_of
from headgate.flink.intake import Intake, IntakeSettings
from headgate.flink.router import Router
from headgate.kafka.table import Shown
from headgate.v1.turn_pb2 import AgentSpec, Control, GateInput, InboxRecord, Route

KEYS = ("k0", "k1", "k2")
RULES = {
    "shop": TopicRule("json", "record", "shop.order.paid", 1_000),
    "quiet": TopicRule("json", "record", "shop.order.paid", 1_000),
}


def spec(name: str, pattern: str) -> AgentSpec:
    return AgentSpec(type=name, routes=[Route(topic="shop", type=pattern)])


@pytest.fixture
def intake() -> Any:
    """An intake whose registry has two agents that match, and one that does not."""
    agents = (spec("order", "shop.*"), spec("audit", ""), spec("lost", "shop.*.lost"))
    shown = Shown({each.type: each for each in agents}, position=9)
    table: Any = SimpleNamespace(shown=shown, trouble="", await_complete=lambda _: True)
    made: Any = Intake(IntakeSettings("a:1", "registry", "inbox", RULES, KEYS))
    made._router = Router(table)
    return made


def take(intake: Any, topic: str, key: bytes | None, value: bytes | None) -> list[GateInput]:
    """Hand intake a record; return what goes on, after a look at how it is keyed."""
    rows = intake.process_element((topic, 2, 40, 1_000, key, value, {}), None)
    found = []
    for row in rows:
        shard_key, raw = row._values
        given = GateInput.FromString(raw)
        place = given.address.encode() or key or b""
        assert given.shard == partition_of(place, len(KEYS))
        assert shard_key == KEYS[given.shard]
        found.append(given)
    return found


def test_an_event_goes_to_each_agent_that_matches(intake: Any) -> None:
    found = take(intake, "shop", b"17", b'{"n": 1}')
    assert [given.address for given in found] == ["audit/17", "order/17"]
    assert {given.registry_position for given in found} == {9}
    assert found[0].event == found[1].event
    assert (found[0].event.type, found[0].event.data) == ("shop.order.paid", b'{"n": 1}')


def test_an_event_for_nobody_and_one_that_is_none_are_set_aside(intake: Any) -> None:
    [nobodys] = take(intake, "quiet", b"17", b"{}")
    assert (nobodys.refused.reason, nobodys.address) == ("no_route", "")
    assert "'shop.order.paid' on topic 'quiet'" in nobodys.refused.message
    [unreadable] = take(intake, "shop", b"17", b"{nope")
    assert unreadable.refused.reason == "not_json"


def test_a_control_needs_no_route_and_no_registry(intake: Any) -> None:
    intake._router = None
    wish = InboxRecord(control=Control(control_id="c"))
    [found] = take(intake, "inbox", b"nobody/17", wish.SerializeToString())
    assert (found.address, found.control.control_id) == ("nobody/17", "c")
    [bad] = take(intake, "inbox", b"no-address", wish.SerializeToString())
    assert bad.refused.reason == "bad_inbox_record"
