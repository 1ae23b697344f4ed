"""Intake and inbox without a cluster: who gets a record, and what becomes of the rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.core.decode import TopicRule
from headgate.core.identity import partition_of
from headgate.flink.arrivals import Arrivals, ArrivalSettings
from headgate.flink.inbox import Inbox
from headgate.flink.intake import Intake
from headgate.flink.router import Router
from headgate.kafka.table import Shown
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Control,
    Controlled,
    GateInput,
    InboxRecord,
    ReplayedRecord,
    Route,
)

KEYS = ("k0", "k1", "k2")
RULES = {
    "shop": TopicRule("json", "record", "shop.order.paid", 1_000),
    "quiet": TopicRule("json", "record", "shop.order.paid", 1_000),
}


def spec(name: str, pattern: str) -> AgentSpec:
    return AgentSpec(type=name, routes=[Route(topic="shop", type=pattern)])


Readers = dict[str, Arrivals]


@pytest.fixture
def readers() -> Readers:
    """An intake and an inbox whose registry has two agents that match, and one that does not."""
    agents = (spec("order", "shop.*"), spec("audit", ""), spec("lost", "shop.*.lost"))
    shown = Shown({each.type: each for each in agents}, position=9)
    table: Any = SimpleNamespace(shown=shown, trouble="", await_complete=lambda _: True)
    settings = ArrivalSettings(Bootstrap("a:1"), "registry", "pressure", RULES, KEYS)
    made: Readers = {"intake": Intake(settings), "inbox": Inbox(settings)}
    for each in made.values():
        each._router = Router(table)
    return made


def take(readers: Readers, topic: str, key: bytes | None, value: bytes | None) -> list[GateInput]:
    """Hand a record to its reader; return what goes on, after a look at how it is keyed."""
    reader = readers["inbox" if topic == "inbox" else "intake"]
    rows: Any = reader.process_element((topic, 2, 40, 1_000, key, value, {}), None)
    found = []
    for row in rows:
        shard_key, raw = row._values
        given = GateInput.FromString(raw)
        place = given.address.encode() or key or b""
        assert given.shard == partition_of(place, len(KEYS))
        assert shard_key == KEYS[given.shard]
        found.append(given)
    return found


def test_an_event_goes_to_each_agent_that_matches(readers: Readers) -> None:
    found = take(readers, "shop", b"17", b'{"n": 1}')
    assert [given.address for given in found] == ["audit/17", "order/17"]
    assert {given.registry_position for given in found} == {9}
    assert found[0].event == found[1].event
    assert (found[0].event.type, found[0].event.data) == ("shop.order.paid", b'{"n": 1}')


def test_an_event_for_nobody_and_one_that_is_none_are_set_aside(readers: Readers) -> None:
    [nobodys] = take(readers, "quiet", b"17", b"{}")
    assert (nobodys.refused.reason, nobodys.address) == ("no_route", "")
    assert "'shop.order.paid' on topic 'quiet'" in nobodys.refused.message
    [unreadable] = take(readers, "shop", b"17", b"{nope")
    assert unreadable.refused.reason == "not_json"


def test_a_control_needs_no_route_and_no_registry(readers: Readers) -> None:
    readers["inbox"]._router = None  # type: ignore[assignment]
    wish = InboxRecord(control=Control(control_id="c", verb=Controlled.RESUME))
    [found] = take(readers, "inbox", b"nobody/17", wish.SerializeToString())
    assert (found.address, found.control.control_id) == ("nobody/17", "c")
    [bad] = take(readers, "inbox", b"no-address", wish.SerializeToString())
    assert bad.refused.reason == "bad_inbox_record"


def replayed(**given: Any) -> bytes:
    record = ReplayedRecord(letter_id="order/17/4", topic="shop", key=b"17", **given)
    return InboxRecord(replayed=record).SerializeToString()


def test_a_replay_is_an_event_of_its_own_for_its_instance_alone(readers: Readers) -> None:
    [first] = take(readers, "shop", b"17", b'{"n": 1}')[1:]
    [again] = take(readers, "inbox", b"order/17", replayed(address="order/17", value=b'{"n": 1}'))
    assert (again.address, again.registry_position) == ("order/17", 9)
    assert (again.event.data, again.event.type) == (first.event.data, first.event.type)
    assert again.event.fingerprint != first.event.fingerprint
    assert again.event.has_id, "a repeat of the replay must be known"
    origin = again.event.origin
    assert (origin.topic, origin.partition, origin.offset) == ("inbox", 2, 40)
    [twice] = take(readers, "inbox", b"order/17", replayed(address="order/17", value=b'{"n": 1}'))
    assert twice.event.fingerprint == again.event.fingerprint


def test_a_replay_of_what_was_for_nobody_is_routed(readers: Readers) -> None:
    found = take(readers, "inbox", b"order/17/4", replayed(value=b"{}"))
    assert [given.address for given in found] == ["audit/17", "order/17"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": b"{nope"}, "not_json"),
        ({"value": b"{}", "topic": "gone"}, "unknown_topic"),
        ({"value": b"{}", "topic": "quiet"}, "no_route"),
    ],
)
def test_a_replay_that_fails_again_is_a_letter_of_its_own(
    readers: Readers, changes: dict[str, Any], reason: str
) -> None:
    record = ReplayedRecord(letter_id="shop/2/40", topic="shop", key=b"17")
    record.MergeFrom(ReplayedRecord(**changes))
    value = InboxRecord(replayed=record).SerializeToString()
    [found] = take(readers, "inbox", b"shop/2/40", value)
    letter = found.refused
    assert (letter.reason, letter.id) == (reason, "inbox/2/40")
    assert (letter.record_key, letter.record_value) == (b"17", changes["value"])
