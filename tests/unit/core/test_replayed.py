"""A replayed dead letter is an event of its own: one for each letter, however often it is sent."""

from __future__ import annotations

from headgate.core.decode import Decoded, Record, TopicRule
from headgate.core.identity import digest, event_fingerprint
from headgate.core.replayed import read_again
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import ReplayedRecord

BROUGHT = Record("inbox", 0, 7, 9, b"", b"", {})
RULES = {"shop": TopicRule("json", "record", "shop.order", 1_000)}


def again(letter: str, offset: int = 7) -> Event:
    given = ReplayedRecord(letter_id=letter, topic="shop", key=b"17", value=b"{}", timestamp_ms=1)
    made = read_again(given, Record("inbox", 0, offset, 9, b"", b"", {}), RULES)
    assert isinstance(made, Decoded)
    return made.event


def test_it_is_named_after_its_letter() -> None:
    one, repeat, other = again("shop/0/1"), again("shop/0/1", offset=8), again("shop/0/2")
    assert one.fingerprint == repeat.fingerprint == digest("replayed", "shop/0/1")
    assert other.fingerprint != one.fingerprint
    assert (one.has_id, one.origin.topic, one.origin.offset) == (True, "inbox", 7)


def test_so_is_one_that_had_been_a_message() -> None:
    event = Event(id="m", fingerprint=b"of the message", has_id=False)
    given = ReplayedRecord(letter_id="a/1/2", address="b/1", event=event)
    made = read_again(given, Record("inbox", 0, 7, 9, b"", b"", {}), {})
    assert isinstance(made, Decoded)
    assert (made.event.fingerprint, made.event.has_id) == (digest("replayed", "a/1/2"), True)


def test_an_entry_of_a_stream_is_known_by_its_own_id_else_by_its_place() -> None:
    rules = {"orders": TopicRule(format="json", key="record", type="order", max_bytes=1_000)}
    given = ReplayedRecord(letter_id="redis:shop/5-1", topic="orders", key=b"17", value=b"{}")
    plain = read_again(given, BROUGHT, rules)
    assert isinstance(plain, Decoded)
    assert (plain.event.id, plain.event.correlation_id) == ("redis:shop/5-1", "redis:shop/5-1")
    assert plain.event.fingerprint == digest("replayed", "redis:shop/5-1")
    rules = {"orders": TopicRule(format="cloudevents", key="record", type="", max_bytes=1_000)}
    for name, value in (("specversion", b"1.0"), ("id", b"9"), ("source", b"s"), ("type", b"t")):
        given.headers[f"ce_{name}"] = value
    named = read_again(given, BROUGHT, rules)
    assert isinstance(named, Decoded)
    # As a record with the same id, wherever it comes from.
    assert named.event.fingerprint == event_fingerprint("s", "9")
    given.letter_id = "orders/0/1"
    replayed = read_again(given, BROUGHT, rules)
    assert isinstance(replayed, Decoded)
    assert replayed.event.fingerprint == digest("replayed", "orders/0/1")
