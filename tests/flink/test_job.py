"""The job on the embedded stack: every format in, CloudEvents out, and bad input set aside."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from headgate.core.identity import partition_of
from headgate.core.render import rfc3339
from headgate.kafka.connect import open_producer
from headgate.kafka.publish import Placed
from headgate.v1.turn_pb2 import JournalBatch, JournalRecord, Outcome
from tests.flink.liars import LIARS
from tests.flink.runtime import MAX_RECORD, Runtime

pytestmark = [pytest.mark.flink, pytest.mark.slow]

BINARY = {
    "ce_specversion": b"1.0",
    "ce_id": b"binary-1",
    "ce_source": b"tests",
    "ce_type": b"shop.talk",
    "ce_correlationid": b"order-9",
    "content-type": b"application/json",
}


def produce(
    runtime: Runtime, topic: str, partition: int, key: bytes | None, value: bytes | None
) -> Placed:
    """Write what no Publisher would: no key, no value, or a key that is no text."""
    producer = open_producer(runtime.config.kafka.bootstrap, delivery_seconds=30)
    sent = producer.send(topic, key=key, value=value, partition=partition).get(30)
    producer.close()
    return Placed(topic, sent.partition, sent.offset, sent.timestamp)


# ------------------------------------------------------------------------------------- good input


def test_a_structured_cloudevent_is_answered_with_one(runtime: Runtime) -> None:
    key = runtime.fresh()
    place = runtime.send("events", key, {"text": "hi"}, event_id="structured-1")
    [answer] = runtime.answers(key)
    assert answer["id"] == f"mirror/{key}/1/0"
    assert answer["source"] == f"headgate:mirror/{key}"
    assert (answer["type"], answer["subject"]) == ("mirror.reply", key)
    assert answer["data"] == {"seen": {"text": "hi"}, "type": "test", "count": 1}
    assert answer["causationid"] == answer["correlationid"] == "structured-1"
    assert answer["sequence"] == "00000000000000000001.000000"
    [turn] = runtime.records.await_found(
        lambda: [t for t in runtime.records.history_records if t.outcome.key == key], "the turn"
    )
    # The turn's time is the journal's, not the event's, the agent's or the reader's.
    assert answer["recordedtime"] == answer["time"] == rfc3339(turn.journal_ms * 1_000)
    assert datetime.fromisoformat(answer["recordedtime"]).tzinfo == UTC
    origin = turn.outcome.taken[0].origin
    assert (origin.topic, origin.partition, origin.offset) == (
        "events", place.partition, place.offset,
    )  # fmt: skip


def test_a_binary_cloudevent_hands_its_correlation_on(runtime: Runtime) -> None:
    key = runtime.fresh()
    runtime.publish("events", key, b'{"text": "hi"}', BINARY)
    [answer] = runtime.answers(key)
    assert answer["data"] == {"seen": {"text": "hi"}, "type": "shop.talk", "count": 1}
    assert (answer["causationid"], answer["correlationid"]) == ("binary-1", "order-9")


def test_plain_json_takes_its_key_from_the_data(runtime: Runtime) -> None:
    key = runtime.fresh("customer")
    place = runtime.publish("orders", "whatever", json.dumps({"customer": key, "n": 1}).encode())
    [answer] = runtime.answers(key)
    assert answer["data"]["type"] == "shop.order"
    # Without an id of its own an event is named after its place.
    assert answer["causationid"] == f"orders/{place.partition}/{place.offset}"


def test_bytes_are_handed_on_as_they_are(runtime: Runtime) -> None:
    key = runtime.fresh()
    runtime.publish("blobs", key, b"no { json")
    [answer] = runtime.answers(key)
    assert answer["data"] == {"seen": "no { json", "type": "shop.blob", "count": 1}


def test_topics_of_all_formats_feed_one_instance(runtime: Runtime) -> None:
    key = runtime.fresh()
    runtime.send("events", key, {"n": 1})
    runtime.publish("orders", key, json.dumps({"customer": key}).encode())
    runtime.publish("blobs", key, b"3")
    answers = runtime.answers(key, 3)
    assert {answer["data"]["type"] for answer in answers} == {"test", "shop.order", "shop.blob"}
    assert [answer["data"]["count"] for answer in answers] == [1, 2, 3]
    sequences = [answer["sequence"] for answer in answers]
    assert sequences == sorted(set(sequences))


def test_a_repeated_event_is_taken_once(runtime: Runtime) -> None:
    key = runtime.fresh()
    for _ in range(2):
        runtime.send("events", key, {"n": 1}, event_id=f"{key}-same")
    runtime.send("events", key, {"n": 2})
    answers = runtime.answers(key, 2)
    assert [answer["data"]["seen"]["n"] for answer in answers] == [1, 2]


# -------------------------------------------------------------------------------------- bad input


def test_a_record_that_is_not_json(runtime: Runtime) -> None:
    place = runtime.publish("orders", "k", b"{not json")
    letter = runtime.letter_at(place)
    assert letter["reason"] == "not_json"
    assert letter["message"].startswith(f"orders/{place.partition}@{place.offset}: ")
    assert letter["record_value"] == "{not json"
    runtime.assert_unharmed()


def test_a_record_that_is_no_cloudevent(runtime: Runtime) -> None:
    letter = runtime.letter_at(runtime.publish("events", "k", b'{"text": "hi"}'))
    assert letter["reason"] == "not_cloudevents"
    runtime.assert_unharmed()


def test_a_record_without_a_key(runtime: Runtime) -> None:
    place = produce(runtime, "blobs", 0, None, b"whose am I?")
    assert runtime.letter_at(place)["reason"] == "no_key"
    runtime.assert_unharmed()


def test_a_record_whose_key_is_no_text(runtime: Runtime) -> None:
    place = produce(runtime, "blobs", 0, b"\xff\xfe", b"whose am I?")
    assert runtime.letter_at(place)["reason"] == "bad_attribute"
    runtime.assert_unharmed()


def test_a_record_without_a_value(runtime: Runtime) -> None:
    letter = runtime.letter_at(produce(runtime, "events", 0, b"k", None))
    assert letter["reason"] == "not_json"
    runtime.assert_unharmed()


def test_a_record_over_the_size_limit(runtime: Runtime) -> None:
    key = runtime.fresh()
    place = runtime.publish("blobs", key, b"x" * (MAX_RECORD + 1))
    letter = runtime.letter_at(place)
    assert letter["reason"] == "too_large"
    assert str(MAX_RECORD) in letter["message"]
    # The instance it was for goes on.
    runtime.publish("blobs", key, b"small")
    assert runtime.answers(key)[0]["data"]["seen"] == "small"
    runtime.assert_unharmed()


def test_an_answer_over_the_size_limit(runtime: Runtime) -> None:
    key = runtime.fresh()
    place = runtime.send("events", key, {"swell": 2 * MAX_RECORD})
    letter = runtime.letter_at(place)
    assert (letter["reason"], letter["code"]) == ("too_large", "too_large")
    assert letter["address"] == f"mirror/{key}"
    runtime.send("events", key, {"n": 2})
    assert runtime.answers(key)[0]["data"]["count"] == 1, "what was refused left no state"
    runtime.assert_unharmed()


def test_an_event_for_an_agent_that_nobody_attached(runtime: Runtime) -> None:
    key = runtime.fresh()
    letter = runtime.letter_at(runtime.send("strangers", key, {}, event_id="nobody's"))
    assert letter["reason"] == "no_route"
    assert "'test' on topic 'strangers'" in letter["message"]
    assert (letter["event_id"], letter["event_type"]) == ("nobody's", "test")
    runtime.assert_unharmed()


@pytest.mark.parametrize("name", LIARS)
def test_an_agent_service_that_breaks_the_contract(runtime: Runtime, name: str) -> None:
    key = runtime.fresh()
    place = runtime.send(f"for-{name}", key, {}, event_id=runtime.fresh(name))
    # The others do not wait for its attempts.
    runtime.assert_unharmed()
    letter = runtime.letter_at(place)
    assert letter["reason"] == ("rpc_error" if name == "noise" else "bad_reply")
    assert (letter["address"], letter["attempts"]) == (f"{name}/{key}", 2)
    # Its next event is tried as well: an instance is not lost with an event.
    assert runtime.letter_at(runtime.send(f"for-{name}", key, {}))["attempts"] == 2
    assert f"{name}/{key}" not in runtime.records.outbox_of
    assert not [output for output in runtime.records.outbox if "_unreadable" in output]
    runtime.assert_unharmed()


def elsewhere(runtime: Runtime) -> str:
    """Return a key of the honest agent's whose outcomes do not belong to the first partition."""
    count = runtime.config.kafka.partitions
    keys = iter(lambda: runtime.fresh("elsewhere"), "")
    return next(key for key in keys if partition_of(f"mirror/{key}".encode(), count))


def outcome_for(key: str) -> bytes:
    """Return the journal's record of an outcome that nobody asked for."""
    outcome = Outcome(agent_type="mirror", key=key, base=b"\x07" * 16, outcome_id=b"x" * 16)
    outcome.completed.SetInParent()
    return JournalRecord(outcome=outcome).SerializeToString()


NOISE = b"\xff\xff no protobuf"
UNREADABLE = {
    "noise": NOISE,
    "empty": b"",
    "no value": None,
    "noise in a batch": JournalRecord(batch=JournalBatch(records=[NOISE])).SerializeToString(),
}
# Anyone may write a key; Gate must not look for it among its own.
STRANGE_KEYS = {"an address": b"mirror/k", "no text": b"\xff\xfe", "no key": None}


def assert_set_aside(runtime: Runtime, place: Placed) -> None:
    """Assert that a record of the journal has become a dead letter that says where it is."""
    letter = runtime.letter_at(place)
    assert letter["reason"] == "bad_journal_record"
    assert f"{place.topic}/{place.partition}@{place.offset}: " in letter["message"]
    runtime.assert_unharmed()


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
def test_a_journal_record_that_no_one_can_parse(runtime: Runtime, value: bytes | None) -> None:
    journal = runtime.config.topic_names.journal
    assert_set_aside(runtime, produce(runtime, journal, 0, runtime.journal_key(0), value))


@pytest.mark.parametrize("key", STRANGE_KEYS.values(), ids=STRANGE_KEYS)
def test_a_journal_record_with_a_key_of_nobodys(runtime: Runtime, key: bytes | None) -> None:
    journal = runtime.config.topic_names.journal
    assert_set_aside(runtime, produce(runtime, journal, 0, key, outcome_for("k")))


def test_an_outcome_in_a_partition_that_is_not_its_instances(runtime: Runtime) -> None:
    journal = runtime.config.topic_names.journal
    value = outcome_for(elsewhere(runtime))
    assert_set_aside(runtime, produce(runtime, journal, 0, runtime.journal_key(0), value))


def test_an_inbox_record_that_no_one_can_parse(runtime: Runtime) -> None:
    place = produce(runtime, runtime.config.topic_names.inbox, 0, b"mirror/k", b"\xff noise")
    assert runtime.letter_at(place)["reason"] == "bad_inbox_record"
    runtime.assert_unharmed()


def test_an_outcome_for_a_base_that_is_not_current_changes_nothing(runtime: Runtime) -> None:
    key = runtime.fresh()
    runtime.send("events", key, {"n": 1})
    runtime.answers(key)
    forged = Outcome(agent_type="mirror", key=key, base=b"\x07" * 16, turn=2, outcome_id=b"x" * 16)
    forged.completed.SetInParent()
    forged.mutations.add(name="count", set=b"99")
    partition = partition_of(f"mirror/{key}".encode(), runtime.config.kafka.partitions)
    produce(
        runtime,
        runtime.config.topic_names.journal,
        partition,
        runtime.journal_key(partition),
        JournalRecord(outcome=forged).SerializeToString(),
    )
    runtime.send("events", key, {"n": 2})
    assert [answer["data"]["count"] for answer in runtime.answers(key, 2)] == [1, 2]
    runtime.assert_unharmed()
