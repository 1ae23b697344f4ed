"""From what a person typed to a record, or to a sentence that says what is wrong."""

import json
from typing import Any, Literal

import pytest

from headgate.cli.events import Draft, EventError, documents, prepare
from headgate.cli.typed import TypedError
from headgate.config import LimitsConfig, TopicConfig

Format = Literal["cloudevents", "json", "bytes"]


def draft(form: Format = "cloudevents", key_from: str = "record", **options: Any) -> Draft:
    """Options of a topic with that format and source of the key."""
    return Draft(TopicConfig(name="messages", format=form, key=key_from), LimitsConfig(), **options)


def test_data_becomes_a_cloudevent_of_the_topics_type() -> None:
    made = prepare('{"text": "hi"}', draft(key="17"))
    event = json.loads(made.value)
    assert (made.key, made.event_id) == ("17", event["id"])
    assert made.headers == {"content-type": b"application/cloudevents+json"}
    assert (event["type"], event["source"]) == ("messages", "headgate:send")
    assert event["data"] == {"text": "hi"}


def test_options_name_the_attributes() -> None:
    made = prepare("1", draft(key="17", event_type="t", event_id="e1", source="s"))
    event = json.loads(made.value)
    assert (event["id"], event["type"], event["source"]) == ("e1", "t", "s")


def draft_of_source(source: str, key: str | None) -> Draft:
    """A draft whose key is read from `source`."""
    return draft("cloudevents", source, key=key)


@pytest.mark.parametrize(
    ("source", "attribute"), [("subject", "subject"), ("extension:tenant", "tenant")]
)
def test_the_key_goes_where_the_topic_reads_it(source: str, attribute: str) -> None:
    made = prepare("1", draft_of_source(source, "17"))
    assert json.loads(made.value)[attribute] == "17"
    assert made.key == "17"


def test_a_key_inside_the_data_need_not_be_given() -> None:
    assert prepare('{"customer": "17"}', draft("json", "json:/customer")).key == "17"
    assert prepare('{"customer": "17"}', draft_of_source("json:/customer", None)).key == "17"


def test_a_whole_cloudevent_is_no_data_of_a_json_topic() -> None:
    whole = '{"specversion": "1.0", "id": "1", "source": "me", "type": "t", "data": 1}'
    with pytest.raises(EventError, match="a whole CloudEvent: topic"):
        prepare(whole, draft("json", "record"))


def test_a_whole_cloudevent_passes_with_its_attributes() -> None:
    given = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "x": "y", "data": 1}
    made = prepare(json.dumps(given), draft(key="17", event_type="other"))
    assert json.loads(made.value) == {**given, "type": "other"}


def test_json_and_bytes_are_published_as_they_are() -> None:
    assert prepare('{ "a":1 }', draft("json", key="17")).value == b'{ "a":1 }'
    assert prepare("not json", draft("bytes", key="17")).value == b"not json"


@pytest.mark.parametrize(
    ("raw", "options", "said"),
    [
        ("{bad", draft(key="17"), "not JSON: Expecting property name"),
        ("hello", draft(key="17"), "text goes in quotes"),
        ("{bad", draft("json", key="17"), "value is not JSON"),
        ("1", draft(), "give --key"),
        ("1", draft(), "json:/order_id"),
        ("{}", draft("json", "json:/customer"), "json:/customer is missing or empty"),
        ('{"customer": "a"}', draft("json", "json:/customer", key="b"), "that is 'a' here"),
        ('{"specversion": "0.3"}', draft(key="17"), "specversion is '0.3'"),
        ('{"specversion": "1.0"}', draft(key="17"), "'id' is missing"),
        ("1", draft("json", key="17", event_id="e"), "--id: topic messages has format json"),
        ('"' + "x" * 1_000_001 + '"', draft("json", key="17"), "limits.max_record"),
    ],
)
def test_what_the_job_could_not_read_is_refused(raw: str, options: Draft, said: str) -> None:
    with pytest.raises((EventError, TypedError), match=r"\S") as refused:
        prepare(raw, options)
    assert said in str(refused.value)
    assert "messages/0@0" not in str(refused.value)  # it stands nowhere


def test_a_file_holds_documents_of_any_layout() -> None:
    assert list(documents('{\n "a": 1\n}\n[2] 3\n')) == ['{\n "a": 1\n}', "[2]", "3"]


def test_a_bad_document_is_named_by_its_line() -> None:
    with pytest.raises(EventError, match=r"^line 3: not JSON"):
        list(documents('{"a":\n1}\noops'))
