"""Records in, events or dead letters out: one row for each thing a producer can do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.v1.turn_pb2 import DeadLetter

CLOUD = TopicRule("cloudevents", "record", "", 1_000)
JSON = TopicRule("json", "json:/customer/id", "shop.order", 1_000)
BYTES = TopicRule("bytes", "record", "shop.blob", 1_000)
ENVELOPE = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.order"}
BINARY = {f"ce_{name}": value.encode() for name, value in ENVELOPE.items()}


def record(
    value: bytes | None, *, key: bytes | None = b"17", headers: Mapping[str, Any] | None = None
) -> Record:
    """Return a record at shop/3@42."""
    return Record("shop", 3, 42, 1_700_000_000_000, key, value, headers or {})


def read(rule: TopicRule, given: Record) -> Decoded:
    """Decode what must be readable."""
    made = decode(given, rule)
    assert isinstance(made, Decoded), made
    return made


def envelope(**more: Any) -> bytes:
    """Return a structured CloudEvent; None leaves an attribute out."""
    return json.dumps({k: v for k, v in (ENVELOPE | more).items() if v is not None}).encode()


def test_structured_mode() -> None:
    """Attributes, extensions and data; data as JSON again."""
    made = read(
        CLOUD,
        record(
            envelope(
                data={"text": "Grüße"},
                subject="s",
                time="2024-05-01T12:00:00.123457+02:00",
                correlationid="c",
                traceparent="00-1-2-01",
                tenant="eu",
                retries=3,
            )
        ),
    )
    event = made.event
    assert made.key == "17"
    assert (event.id, event.source, event.type, event.subject) == ("1", "/shop", "shop.order", "s")
    assert event.time_us == 1_714_557_600_123_457
    assert json.loads(event.data) == {"text": "Grüße"}
    assert (event.correlation_id, event.traceparent) == ("c", "00-1-2-01")
    assert dict(event.extensions) == {"tenant": "eu", "retries": "3"}
    assert event.has_id
    assert (event.origin.topic, event.origin.partition, event.origin.offset) == ("shop", 3, 42)


def test_binary_mode() -> None:
    """Attributes from headers, data as it came."""
    headers = BINARY | {"content-type": b"text/plain", "ce_tenant": b"eu", "other": None}
    event = read(CLOUD, record(b"hello", headers=headers)).event
    assert (event.id, event.data, event.datacontenttype) == ("1", b"hello", "text/plain")
    assert dict(event.extensions) == {"tenant": "eu"}
    assert event.correlation_id == "1"


@pytest.mark.parametrize(
    ("more", "data"),
    [
        ({"data_base64": "AAEC"}, b"\x00\x01\x02"),
        ({"data": "<a/>", "datacontenttype": "application/xml"}, b"<a/>"),
        ({"data": "text"}, b'"text"'),
        ({"data": None}, b""),
        ({}, b""),
    ],
)
def test_kinds_of_data(more: dict[str, Any], data: bytes) -> None:
    """Base64, text, JSON, nothing."""
    assert read(CLOUD, record(envelope(**more))).event.data == data


@pytest.mark.parametrize(
    ("rule", "found"),
    [("json:/customer/id", "17"), ("json:/list/1", "b"), ("json:/flag", "true")],
)
def test_keys_by_json_pointer(rule: str, found: str) -> None:
    """Of a plain JSON record: the event is the record, its id its place."""
    value = json.dumps({"customer": {"id": 17}, "list": ["a", "b"], "flag": True}).encode()
    made = read(TopicRule("json", rule, "shop.order", 1_000), record(value))
    assert made.key == found
    assert made.event.id == "shop/3/42"
    assert made.event.source == "kafka:shop"
    assert made.event.type == "shop.order"
    assert not made.event.has_id


def test_other_keys() -> None:
    """Subject and extension attributes; bytes by the record's key."""
    given = record(envelope(subject="s", tenant="eu"), key=None)
    by_subject = TopicRule("cloudevents", "subject", "", 1_000)
    by_extension = TopicRule("cloudevents", "extension:tenant", "", 1_000)
    assert read(by_subject, given).key == "s"
    assert read(by_extension, given).key == "eu"
    assert read(BYTES, record(b"\xff\x00")).event.data == b"\xff\x00"


def test_the_fingerprint_knows_a_repeat() -> None:
    """Same source and id: the same event, wherever it is read. Without an id: the record."""
    first = read(CLOUD, record(envelope())).event
    again = Record("web", 0, 7, 5, b"17", envelope(), {})
    assert read(CLOUD, again).event.fingerprint == first.fingerprint
    other = read(CLOUD, record(envelope(source="/web"))).event
    assert other.fingerprint != first.fingerprint
    a, b = (read(BYTES, Record("shop", 0, n, 5, b"k", b"x", {})).event for n in (1, 2))
    assert a.fingerprint != b.fingerprint


BAD: list[tuple[str, TopicRule, Record, str, str]] = [
    ("not JSON", CLOUD, record(b"{nope"), "not_json", "value is not JSON"),
    ("deep JSON", CLOUD, record(b"[" * 900 * 1), "not_json", "value is not JSON"),
    ("empty", CLOUD, record(None), "not_json", "value"),
    ("no CloudEvent", CLOUD, record(b"{}"), "not_cloudevents", "specversion"),
    ("a list", CLOUD, record(b"[]"), "not_cloudevents", "specversion"),
    ("old version", CLOUD, record(envelope(specversion="0.3")), "bad_attribute", "specversion"),
    ("no id", CLOUD, record(envelope(id=None)), "bad_attribute", "'id'"),
    (
        "a timer's type",
        CLOUD,
        record(envelope(type="headgate.timer")),
        "bad_attribute",
        "headgate signal",
    ),
    ("number as id", CLOUD, record(envelope(id=7)), "bad_attribute", "'id'"),
    ("empty source", CLOUD, record(envelope(source="")), "bad_attribute", "'source'"),
    ("bad time", CLOUD, record(envelope(time="noon")), "bad_attribute", "'time'"),
    ("no zone", CLOUD, record(envelope(time="2024-05-01T12:00:00")), "bad_attribute", "zone"),
    ("bad base64", CLOUD, record(envelope(data_base64="?")), "bad_data", "data_base64"),
    ("base64 of a number", CLOUD, record(envelope(data_base64=1)), "bad_data", "data_base64"),
    ("half a character", CLOUD, record(envelope(id="\ud800")), "bad_attribute", "'id'"),
    ("the same in an extension", CLOUD, record(envelope(x="\ud800")), "bad_attribute", "'x'"),
    ("the same in data", CLOUD, record(envelope(data="\ud800")), "bad_data", "data"),
    ("the same in the key", JSON, record(b'{"customer":{"id":"\\ud800"}}'), "no_key", "key"),
    (
        "header not UTF-8",
        CLOUD,
        record(b"", headers=BINARY | {"ce_x": b"\xff"}),
        "bad_attribute",
        "ce_x",
    ),
    ("no record key", CLOUD, record(envelope(), key=None), "no_key", "record"),
    ("key not UTF-8", CLOUD, record(envelope(), key=b"\xff"), "bad_attribute", "key"),
    ("pointer to nothing", JSON, record(b"{}"), "no_key", "json:/customer/id"),
    ("pointer to an object", JSON, record(b'{"customer":{"id":{}}}'), "no_key", "customer"),
    ("long key", BYTES, record(b"x", key=b"k" * 1_025), "no_key", "1025"),
    ("large", BYTES, record(b"x" * 1_001), "too_large", "limits.max_record"),
    (
        "long id",
        TopicRule("cloudevents", "record", "", 9_000),
        record(envelope(id="i" * 1_025)),
        "bad_attribute",
        "'id'",
    ),
]


@pytest.mark.parametrize(
    ("rule", "given_record", "reason", "names"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_what_cannot_be_read_says_why_and_where(
    rule: TopicRule, given_record: Record, reason: str, names: str
) -> None:
    """Reason, field, and topic, partition and offset; the record as it came."""
    letter = decode(given_record, rule)
    assert isinstance(letter, DeadLetter)
    assert letter.reason == reason
    assert names in letter.message
    assert letter.message.startswith("shop/3@42: ")
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == ("shop", 3, 42)
    assert letter.record_value == (given_record.value or b"")
    assert letter.id == "shop/3/42"


TEXT = st.text(st.characters(exclude_categories=()))  # halves of surrogate pairs included
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from([*ENVELOPE, "data", "data_base64", "time", "subject", "x"]), JSONISH
    ).map(lambda more: json.dumps(ENVELOPE | more).encode()),
    st.none() | st.binary(max_size=5),
    st.sampled_from([CLOUD, JSON, BYTES]),
    st.dictionaries(st.sampled_from([*BINARY, "content-type", "ce_x"]), st.none() | st.binary()),
)
def test_decoding_is_total(
    value: bytes, key: bytes | None, rule: TopicRule, headers: dict[str, bytes | None]
) -> None:
    """Whatever is sent, the answer is an event or a dead letter, and both can be written."""
    made = decode(record(value, key=key, headers=headers), rule)
    if isinstance(made, Decoded):
        made.event.SerializeToString()
        made.key.encode()
    else:
        made.SerializeToString()


@given(
    st.one_of(
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(
            lambda value: json.dumps(value, ensure_ascii=False)
        ),
        st.text(max_size=12),
    ),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"]),
)
def test_json_is_what_the_standard_library_reads(text: str, encoding: str) -> None:
    """UTF-8 is tried first, for speed; what else ``json.loads`` reads is read as well."""
    raw = text.encode(encoding, errors="replace")
    try:
        json.loads(raw)
    except ValueError:
        readable = False
    else:
        readable = True
    rule = TopicRule("json", "record", "t", 10_000)
    assert isinstance(decode(record(raw), rule), Decoded) == readable
