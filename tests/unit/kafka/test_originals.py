"""What is handed to the job again for a dead letter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from headgate.config import loads
from headgate.kafka.originals import Originals
from headgate.kafka.span import Spans
from headgate.v1.turn_pb2 import DeadLetter, InboxRecord, ReplayedRecord

NAMES = loads("").topic_names


class Log:
    """Topics that hold one record each, at offset 4 of partition 2."""

    def __init__(self, **records: Any) -> None:
        self._records = records

    def records(self, topic: str, partition: int, begin: int, end: int) -> list[Any]:
        assert end == begin + 1
        found = self._records.get(topic)
        return [found] if found is not None and (partition, begin) == (2, 4) else []


def record(value: bytes | None, key: bytes | None = b"17") -> Any:
    headers = [("trace", b"t"), ("empty", None)]
    return SimpleNamespace(key=key, value=value, headers=headers, timestamp=99)


def letter(topic: str, *, offset: int = 4, address: str = "order/17") -> DeadLetter:
    made = DeadLetter(id="order/17/4", address=address, reason="agent_error")
    made.origin.topic, made.origin.partition, made.origin.offset = topic, 2, offset
    return made


def find(wanted: DeadLetter, **records: Any) -> ReplayedRecord | str:
    return Originals(cast("Spans", Log(**records)), NAMES).find(wanted)


def test_the_record_goes_whole_to_the_instance_that_gave_it_up() -> None:
    assert find(letter("shop"), shop=record(b"{}")) == ReplayedRecord(
        topic="shop",
        key=b"17",
        value=b"{}",
        headers={"trace": b"t", "empty": b""},
        timestamp_ms=99,
        letter_id="order/17/4",
        address="order/17",
    )


def test_what_was_for_nobody_is_for_whoever_is_routed() -> None:
    found = find(letter("shop", address=""), shop=record(b"{}"))
    assert isinstance(found, ReplayedRecord)
    assert found.address == ""


def test_what_came_by_the_inbox_is_what_the_inbox_brought() -> None:
    message = InboxRecord()
    message.message.event.id = "m"
    found = find(letter(NAMES.inbox), **{NAMES.inbox: record(message.SerializeToString())})
    assert isinstance(found, ReplayedRecord)
    assert (found.event.id, found.value, found.topic) == ("m", b"", "")
    assert (found.letter_id, found.address) == ("order/17/4", "order/17")


def test_a_replay_that_failed_again_is_replayed_as_the_record_it_was() -> None:
    inner = ReplayedRecord(topic="shop", value=b"{}", letter_id="order/17/2", address="order/17")
    brought = InboxRecord(replayed=inner).SerializeToString()
    found = find(letter(NAMES.inbox), **{NAMES.inbox: record(brought)})
    assert isinstance(found, ReplayedRecord)
    assert (found.topic, found.value, found.letter_id) == ("shop", b"{}", "order/17/4")


def test_what_cannot_be_replayed_says_why() -> None:
    control = InboxRecord()
    control.control.control_id = "c"
    orphan = InboxRecord()
    orphan.message.event.id = "m"
    inbox = NAMES.inbox
    for wanted, records, said in (
        (DeadLetter(id="x"), {}, "names no record"),
        (letter(NAMES.journal), {}, "a record of the journal, which stays there"),
        (letter("shop", offset=5), {"shop": record(b"")}, "does not hold shop/2@5 any more"),
        (letter(inbox), {inbox: record(control.SerializeToString())}, "is no event"),
        (letter(inbox), {inbox: record(b"\xff")}, "is no event"),
        (
            letter(inbox, address=""),
            {inbox: record(orphan.SerializeToString())},
            "names no instance",
        ),
    ):
        why_not = find(wanted, **records)
        assert isinstance(why_not, str)
        assert said in why_not
