"""Records as plain dicts: whole, in plain words, and never an error."""

import json
from typing import Any

import pytest

from headgate.core.decode import Record
from headgate.core.letters import letter_for_record
from headgate.core.render import outputs
from headgate.kafka.views import Kind, is_mark, view
from headgate.v1.agent_pb2 import FAILURE_CODE_BAD_REPLY, Completed
from headgate.v1.turn_pb2 import (
    Controlled,
    Failed,
    HistoryRecord,
    JournalRecord,
    Outcome,
    Tick,
)

KINDS: tuple[Kind, ...] = ("outbox", "history", "journal", "dead-letters")
AT_US = 1_700_000_000_000_001


def record(value: bytes | None, key: bytes = b"order/17") -> Record:
    """A record with that value."""
    return Record("t", 3, 12, 1_700_000_000_000, key, value, {})


def outcome() -> Outcome:
    """A completed turn with one of everything."""
    made = Outcome(
        agent_type="order",
        key="17",
        turn=2,
        attempt=1,
        base=b"\x01" * 16,
        outcome_id=b"\x02" * 16,
        completed=Completed(),
        called_us=AT_US,
        answered_us=AT_US + 20_000,
        revision="v3",
    )
    taken = made.taken.add(id="e1", source="s", correlation_id="c1")
    taken.origin.topic, taken.origin.partition, taken.origin.offset = "messages", 1, 7
    made.mutations.add(name="status", set=b'"open"')
    made.mutations.add(name="raw", set=b"\xff")
    made.mutations.add(name="notes", append=b'{"n": 1}')
    made.mutations.add(name="old", delete=True)
    made.outputs.add(type="shop.reply", data=b'{"text": "hi"}')
    made.messages.add(agent_type="other", key="k", type="ask", data=b"1")
    made.timers.add(name="t", after_ms=5)
    made.usage.add(model="m", input_tokens=3)
    return made


def test_an_outcome_tells_everything_in_plain_words() -> None:
    seen = view("journal", record(JournalRecord(outcome=outcome()).SerializeToString()))
    assert seen == {
        "_record": {
            "topic": "t",
            "partition": 3,
            "offset": 12,
            "timestamp": "2023-11-14T22:13:20.000000Z",
            "key": "order/17",
        },
        "address": "order/17",
        "turn": 2,
        "attempt": 1,
        "verdict": "completed",
        "outcome_id": "02" * 16,
        "base": "01" * 16,
        "events": [
            {
                "id": "e1",
                "source": "s",
                "correlation_id": "c1",
                "origin": {"topic": "messages", "partition": 1, "offset": 7},
            }
        ],
        "mutations": [
            {"name": "status", "set": "open"},
            {"name": "raw", "set_base64": "/w=="},
            {"name": "notes", "append": {"n": 1}},
            {"name": "old", "delete": True},
        ],
        "outputs": [{"type": "shop.reply", "data": {"text": "hi"}}],
        "messages": [{"to": "other/k", "type": "ask", "data": 1}],
        "timers": [{"name": "t", "after_ms": 5}],
        "usage": [{"model": "m", "input_tokens": 3}],
        "revision": "v3",
        "called": "2023-11-14T22:13:20.000001Z",
        "answered": "2023-11-14T22:13:20.020001Z",
        "call_ms": 20.0,
    }


def test_history_adds_when_and_where_it_was_decided() -> None:
    stored = HistoryRecord(
        outcome=outcome(),
        at_us=AT_US,
        base_after=b"\x03" * 16,
        journal_partition=1,
        journal_offset=9,
        journal_ms=1_700_000_000_000,
    )
    seen = view("history", record(stored.SerializeToString()))
    assert seen["at"] == "2023-11-14T22:13:20.000001Z"
    assert seen["base_after"] == "03" * 16
    assert seen["journal"]["offset"] == 9
    assert seen["outputs"][0]["type"] == "shop.reply"


@pytest.mark.parametrize(
    ("disposition", "then"),
    [
        ({"retry_after_ms": 200}, {"then": "retry", "retry_after_ms": 200}),
        ({"park": True}, {"then": "park"}),
        ({"dead_letter": {"reason": "exhausted"}}, {"then": "dead_letter", "reason": "exhausted"}),
    ],
)
def test_a_failure_tells_why_and_what_follows(
    disposition: dict[str, Any], then: dict[str, Any]
) -> None:
    made = outcome()
    made.failed.CopyFrom(Failed(code=FAILURE_CODE_BAD_REPLY, message="no", **disposition))
    seen = view("journal", record(JournalRecord(outcome=made).SerializeToString()))
    assert seen["verdict"] == "failed"
    assert seen["failure"] == {"code": "bad_reply", "message": "no", **then}


def test_a_control_is_named() -> None:
    made = outcome()
    made.controlled.CopyFrom(Controlled(verb=Controlled.RESET, control_id="c", reason="r"))
    seen = view("journal", record(JournalRecord(outcome=made).SerializeToString()))
    assert seen["control"] == {"verb": "reset", "control_id": "c", "reason": "r"}


def test_a_tick_is_known_as_one() -> None:
    tick = view("journal", record(JournalRecord(tick=Tick(nonce=b"n")).SerializeToString()))
    turn = view("journal", record(JournalRecord(outcome=outcome()).SerializeToString()))
    assert (is_mark(tick), is_mark(turn)) == (True, False)


def test_the_outbox_shows_the_event_itself() -> None:
    (value,) = outputs("order/17", 2, AT_US, outcome())
    seen = view("outbox", record(value))
    assert {name: seen[name] for name in json.loads(value)} == json.loads(value)


def test_a_dead_letter_shows_the_record_as_it_came() -> None:
    letter = letter_for_record(
        reason="not_json",
        message="m",
        topic="messages",
        partition=1,
        offset=5,
        timestamp_ms=1,
        key=b"k",
        value=b"{bad",
        headers={"h": b"v"},
    )
    seen = view("dead-letters", record(letter.SerializeToString()))
    assert (seen["reason"], seen["record_key"], seen["record_value"]) == ("not_json", "k", "{bad")
    assert seen["origin"] == {"topic": "messages", "partition": 1, "offset": 5}
    assert seen["record_headers"] == {"h": "v"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        JournalRecord().SerializeToString(),
    ],
)
def test_what_cannot_be_read_is_shown_with_its_place(kind: Kind, value: bytes | None) -> None:
    seen = view(kind, record(value, key=b"\xff"))
    assert seen["_unreadable"]
    assert (seen["_record"]["topic"], seen["_record"]["offset"]) == ("t", 12)
    json.dumps(seen)


def test_a_time_beyond_the_calendar_is_no_error() -> None:
    stored = HistoryRecord(outcome=outcome(), at_us=2**62)
    assert view("history", record(stored.SerializeToString()))["_unreadable"]
