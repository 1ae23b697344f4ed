"""Outputs as CloudEvents: any reader of the format must be able to read them."""

from __future__ import annotations

import json

import pytest
from cloudevents.v1.http import from_json

from headgate.core.reference import reference_to
from headgate.core.render import is_json, outputs
from headgate.v1.agent_pb2 import Output
from headgate.v1.turn_pb2 import Outcome
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
