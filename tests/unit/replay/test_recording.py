"""Recording: each turn with what it took, and what cannot be known is left out and said so."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from headgate.core.decode import Record, TopicRule
from headgate.replay import recording
from headgate.replay.events import Place, event_in, place_of
from headgate.replay.recorded import LeftOut, RecordedTurn
from headgate.replay.recording import Span, record
from headgate.sim.face import HeadgateSim
from headgate.testing.folding import stored_of
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import InboxRecord, ReplayedRecord
from tests.unit.replay.past import SimPast, SimRecords, lived, recorded, turns_of


def test_every_kind_of_event_is_found_with_what_it_held(headgate_sim: HeadgateSim) -> None:
    address = lived(headgate_sim)
    turns = turns_of(headgate_sim, address)
    history = headgate_sim.history(address)
    assert [turn.number for turn in turns] == [each.outcome.turn for each in history]
    kinds = {event.type for turn in turns for event in turn.events}
    assert kinds == {
        "order.item", "order.bad", "order.close", "ledger.booked", "headgate.timer",
        "headgate.signal",
    }  # fmt: skip
    # What the agent was given then, to the byte: messages, signals and timers too.
    given = {
        call.request.turn: [event.SerializeToString(deterministic=True) for event in
                            call.request.events]
        for call in headgate_sim.world.calls
        if call.address == address
    }  # fmt: skip
    for turn in turns:
        if turn.is_put:
            found = [event.SerializeToString(deterministic=True) for event in turn.events]
            assert found == given[turn.number], turn


def test_the_state_before_each_turn_is_that_of_the_turns_before(headgate_sim: HeadgateSim) -> None:
    address = lived(headgate_sim)
    history = headgate_sim.history(address)
    for place, turn in enumerate(turns_of(headgate_sim, address)):
        assert turn.before == stored_of(history[:place])
        assert turn.after() == stored_of(history[: place + 1])


def test_a_span_begins_with_the_state_of_its_moment(headgate_sim: HeadgateSim) -> None:
    address = lived(headgate_sim)
    history = headgate_sim.history(address)
    span = Span(history[2].at_us, history[3].at_us)
    found = recorded(headgate_sim, address, span=span)
    assert [each.number for each in found] == [3, 4]
    assert isinstance(found[0], RecordedTurn)
    assert found[0].before == stored_of(history[:2])


def test_a_reset_forgets_the_state_and_asks_nobody(headgate_sim: HeadgateSim) -> None:
    address = lived(headgate_sim)
    headgate_sim.control(address, "reset")
    headgate_sim.send(address, "order.item", {"amount": 7})
    *_, reset, last = turns_of(headgate_sim, address)
    assert not reset.is_put
    assert not reset.events
    assert reset.before.values
    assert not last.before.values
    assert last.is_put


def test_an_event_that_is_gone_leaves_its_turn_out_and_names_its_place(
    headgate_sim: HeadgateSim,
) -> None:
    address = lived(headgate_sim)
    history = headgate_sim.history(address)
    gone = place_of(history[1].outcome.taken[0])
    assert gone is not None
    records = SimRecords(headgate_sim, gone={gone})
    found = list(record(SimPast(headgate_sim), records, [address], Span()))
    left = [each for each in found if isinstance(each, LeftOut)]
    assert [each.number for each in left] == [2]
    assert f"events/{gone.partition}@{gone.offset}" in left[0].why
    assert "does not hold it any more" in left[0].why
    # What it did to the state is known all the same.
    assert isinstance(found[2], RecordedTurn)
    assert found[2].before == stored_of(history[:2])


def test_another_record_at_the_same_place_is_not_taken_for_the_event(
    headgate_sim: HeadgateSim,
) -> None:
    address = lived(headgate_sim)
    ref = headgate_sim.history(address)[0].outcome.taken[0]
    partition = headgate_sim.world.events.partitions[ref.origin.partition]
    partition[0], partition[1] = partition[1], partition[0]
    first = recorded(headgate_sim, address)[0]
    assert isinstance(first, LeftOut)
    assert f"not {ref.id!r} of test" in first.why


def test_where_turns_are_gone_the_state_is_asked_for_or_the_turn_left_out(
    headgate_sim: HeadgateSim,
) -> None:
    address = lived(headgate_sim)
    history = headgate_sim.history(address)
    past = SimPast(headgate_sim, gone={1, 2})
    found = list(record(past, SimRecords(headgate_sim), [address], Span()))
    assert isinstance(found[0], LeftOut)
    assert found[0].number == 3
    assert "the state before it is not known: turn 2" in found[0].why
    # The timer's event is made of the turn that set it, which is kept.
    assert not any("timer" in each.why for each in found if isinstance(each, LeftOut))
    setting = next(each.outcome.turn for each in history if each.outcome.timers)
    past = SimPast(headgate_sim, gone={setting})
    found = list(record(past, SimRecords(headgate_sim), [address], Span(history[-1].at_us)))
    assert isinstance(found[0], LeftOut)
    assert f"turn {setting}, which set it, is not kept" in found[0].why


def test_events_are_read_some_turns_at_a_time(
    headgate_sim: HeadgateSim, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [lived(headgate_sim, "17"), lived(headgate_sim, "18")]
    whole = turns_of(headgate_sim, *addresses)
    monkeypatch.setattr(recording, "AT_ONCE", 3)
    records = Counting(headgate_sim)
    assert list(record(SimPast(headgate_sim), records, addresses, Span())) == whole
    assert records.reads == -(-len(whole) // 3)


class Counting(SimRecords):
    """Counts how often it is asked."""

    reads = 0

    def read(self, places: Iterable[Place]) -> dict[Place, Event | str]:
        self.reads += 1
        return super().read(places)


def test_a_replayed_dead_letter_is_read_as_it_was_taken() -> None:
    rule = TopicRule("json", "record", "shop.order", 1_000)
    again = ReplayedRecord(letter_id="order/17/4", topic="orders", key=b"17", value=b'{"n":1}')
    value = InboxRecord(replayed=again).SerializeToString()
    brought = Record("inbox", 1, 9, 5, b"order/17", value, {})
    event = event_in(brought, "inbox", {"orders": rule})
    assert not isinstance(event, str)
    assert (event.type, event.data, event.origin.offset) == ("shop.order", b'{"n":1}', 9)


def test_a_record_that_is_no_event_is_told_why() -> None:
    def told(topic: str, value: bytes) -> object:
        rule = TopicRule("json", "record", "t", 100)
        return event_in(Record(topic, 0, 1, 5, b"k", value, {}), "inbox", {"known": rule})

    assert (
        told("unknown", b"{}") == "unknown is no topic of this headgate.toml; add it to [[topics]]"
    )
    assert "not JSON" in str(told("known", b"{"))
    assert told("inbox", b"") == "it is no event"
    assert "no record of Headgate's" in str(told("inbox", b"\xff"))
    assert str(Place("t", 1, 2)) == "t/1@2"
