"""Outputs as CloudEvents: any reader of the format must be able to read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.v1.http import from_json
from hypothesis import given as given_that
from hypothesis import strategies as st

from headgate.core.reference import reference_to
from headgate.core.render import is_json, outputs, rfc3339
from headgate.v1.agent_pb2 import Output
from headgate.v1.turn_pb2 import EventRef, Outcome
from tests.unit.core.build import event

AT_US = 1_700_000_000_000_001


def rendered(*given: Output) -> list[bytes]:
    """Render outputs of a turn that took one event."""
    outcome = Outcome(
        key="17", taken=[reference_to(event(0, event_id="a"))], outputs=given, traceparent="00-1-2"
    )
    return outputs("orders/17", 4, AT_US, outcome)


@pytest.mark.parametrize(
    ("output", "data"),
    [
        (Output(type="t", data=b'{"text": "Gr\xc3\xbc\xc3\x9fe"}'), {"text": "Grüße"}),
        (Output(type="t", data=b"7", datacontenttype="text/json; charset=utf-8"), 7),
        (Output(type="t", data=b"\x00\xff", datacontenttype="image/png"), b"\x00\xff"),
        (Output(type="t", data=b"<a/>", datacontenttype="application/xml"), b"<a/>"),
        (Output(type="t"), None),
    ],
)
def test_the_cloudevents_package_reads_them(output: Output, data: object) -> None:
    """Attributes and data, JSON and not."""
    (raw,) = rendered(output)
    read = from_json(raw)
    assert read["id"] == "orders/17/4/0"
    assert read["source"] == "headgate:orders/17"
    assert read["subject"] == "17"
    assert read["causationid"] == "a"
    assert read["correlationid"] == "a"
    assert read["traceparent"] == "00-1-2"
    assert read["recordedtime"] == read["time"] == "2023-11-14T22:13:20.000001Z"
    assert read.data == data


def test_ids_and_sequences_sort_as_turns_do() -> None:
    """address/turn/index, and a sequence that sorts as text."""
    told = [json.loads(raw) for raw in rendered(Output(type="a"), Output(type="b"))]
    assert [each["id"] for each in told] == ["orders/17/4/0", "orders/17/4/1"]
    assert told[0]["sequence"] < told[1]["sequence"]


def test_extensions_cannot_displace_attributes() -> None:
    """What Headgate says of a turn stands."""
    (raw,) = rendered(
        Output(type="t", subject="s", extensions={"tenant": "eu", "traceparent": "x"})
    )
    told = json.loads(raw)
    assert (told["tenant"], told["subject"], told["traceparent"]) == ("eu", "s", "00-1-2")


def test_media_types_that_are_json() -> None:
    """As CloudEvents defines it."""
    assert all(map(is_json, ["", "application/json", "Text/JSON;x=1", "application/a+json"]))
    assert not any(map(is_json, ["text/plain", "application/jsonl", "json"]))


def by_encoder(output: Output, outcome: Outcome) -> bytes:
    """Render one output by the standard library's encoder: slower, and plainly right."""
    told = {
        "specversion": "1.0",
        "id": f"{outcome.agent_type}/{outcome.key}/4/0",
        "source": f"headgate:{outcome.agent_type}/{outcome.key}",
        "type": output.type,
        "subject": output.subject or outcome.key,
        "time": rfc3339(AT_US),
        "recordedtime": rfc3339(AT_US),
        "sequence": f"{4:020d}.{0:06d}",
    }
    if output.cause < len(outcome.taken):
        told["correlationid"] = outcome.taken[output.cause].correlation_id
        told["causationid"] = outcome.taken[output.cause].id
    if outcome.traceparent:
        told["traceparent"] = outcome.traceparent
    for name, value in output.extensions.items():
        told.setdefault(name, value)
    told["datacontenttype"] = output.datacontenttype or "application/json"
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


TEXT = st.text(max_size=8)


@given_that(
    key=TEXT,
    event_id=TEXT,
    traceparent=TEXT,
    output=st.builds(
        Output,
        type=TEXT,
        subject=TEXT,
        datacontenttype=TEXT,
        extensions=st.dictionaries(st.sampled_from(["a", "b1", "traceparent"]), TEXT),
        cause=st.integers(0, 2),
    ),
)
def test_the_envelope_is_what_an_encoder_would_write(
    key: str, event_id: str, traceparent: str, output: Output
) -> None:
    """Byte for byte, whatever the strings hold: quotes, control characters, any script."""
    taken = [EventRef(id=event_id, correlation_id=f"c{event_id}")]
    outcome = Outcome(
        agent_type="orders", key=key, taken=taken, traceparent=traceparent, outputs=[output]
    )
    assert outputs(f"orders/{key}", 4, AT_US, outcome) == [by_encoder(output, outcome)]


@given_that(st.integers(0, 253_402_300_799_999_999))
def test_times_are_those_of_the_standard_library(at_us: int) -> None:
    """To the microsecond, from 1970 to the year 9999."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    assert rfc3339(at_us) == at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06d}Z"
