"""Messages, timers and signals on the running job, and what comes of bad ones."""

from __future__ import annotations

import pytest

from headgate.v1.turn_pb2 import AgentMessage, InboxRecord, Signal
from tests.flink.runtime import Runtime

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def seen(runtime: Runtime, key: str, count: int) -> list[object]:
    return [each["data"]["seen"] for each in runtime.answers(key, count)]


def test_a_message_is_taken_by_whom_it_is_for(runtime: Runtime) -> None:
    sender, receiver = runtime.fresh(), runtime.fresh()
    for number in range(3):
        said = {"tell": f"mirror/{receiver}", "say": {"n": number}}
        runtime.send("events", sender, said, event_id=f"{sender}-{number}")
    assert seen(runtime, receiver, 3) == [{"n": 0}, {"n": 1}, {"n": 2}]
    answers = runtime.answers(receiver, 3)
    assert {each["data"]["type"] for each in answers} == {"test.told"}
    # What caused the sender's turn is what it all is about.
    assert [each["correlationid"] for each in answers] == [f"{sender}-{n}" for n in range(3)]
    records, addresses = runtime.records, [f"mirror/{sender}", f"mirror/{receiver}"]
    # Committed with the outputs, and read from another topic.
    records.await_found(lambda: all(records.history_of.get(each) for each in addresses), "turns")
    sent, told = [records.history_of[each] for each in addresses]
    assert min(each.at_us for each in told) > min(each.at_us for each in sent)


def test_a_message_written_again_is_taken_once(runtime: Runtime) -> None:
    """As a restored job writes it, with nothing but its numbers to know it by."""
    receiver = runtime.fresh()
    message = AgentMessage(sender="elsewhere/1", turn=7, index=1, at_us=1)
    message.event.id, message.event.type, message.event.source = "m", "test.told", "s"
    message.event.data = b"1"
    record = InboxRecord(message=message)
    inbox = runtime.config.topic_names.inbox
    for _ in range(2):
        runtime.publish(inbox, f"mirror/{receiver}", record.SerializeToString())
    record.message.turn, record.message.event.data = 8, b"2"
    runtime.publish(inbox, f"mirror/{receiver}", record.SerializeToString())
    assert seen(runtime, receiver, 2) == [1, 2]
    runtime.assert_unharmed()
    assert len(runtime.answers(receiver)) == 2


def test_a_timer_is_shown_while_it_is_set_and_fires_once(runtime: Runtime) -> None:
    key = runtime.fresh()
    runtime.send("events", key, {"set": "far", "after_ms": 3_600_000})
    runtime.answers(key)
    shown = runtime.headgate("instances", "describe", f"mirror/{key}")
    assert (shown["status"], list(shown["timers"])) == ("sleeps", ["far"])
    runtime.send("events", key, {"set": "near", "after_ms": 200})
    assert seen(runtime, key, 3)[-1] == {"due": True}
    runtime.assert_unharmed()
    shown = runtime.headgate("instances", "describe", f"mirror/{key}")
    assert (shown["turn"], list(shown["timers"])) == (3, ["far"])
    runtime.headgate("instances", "reset", f"mirror/{key}")
    assert "timers" not in runtime.headgate("instances", "describe", f"mirror/{key}")


def test_a_signal_is_taken_once(runtime: Runtime) -> None:
    key = runtime.fresh()
    for _ in range(2):
        said = runtime.headgate("signal", f"mirror/{key}", "approve", '{"by": "ann"}', "--id", "s")
        assert (said["signal"], said["id"]) == ("approve", "s")
    runtime.headgate("signal", f"mirror/{key}", "approve", "2")
    assert seen(runtime, key, 2) == [{"by": "ann"}, 2]
    assert runtime.answers(key)[0]["data"]["type"] == "headgate.signal"
    runtime.assert_unharmed()
    assert len(runtime.answers(key)) == 2


def test_what_was_given_up_can_be_replayed(runtime: Runtime) -> None:
    """A message and a signal, of which no user's topic has a record."""
    sender, told, signalled = runtime.fresh(), runtime.fresh(), runtime.fresh()
    for key in (told, signalled):
        runtime.headgate("instances", "park", f"mirror/{key}")
    runtime.send("events", sender, {"tell": f"mirror/{told}", "say": "hello"})
    runtime.answers(sender)
    runtime.headgate("signal", f"mirror/{signalled}", "late", "1")
    runtime.assert_unharmed()
    turns = [
        runtime.headgate("instances", "skip", f"mirror/{k}")["turn"] for k in (told, signalled)
    ]
    assert turns == [2, 2]
    runtime.headgate("dead-letters", "replay", f"mirror/{told}/2", f"mirror/{signalled}/2")
    assert seen(runtime, told, 1) == ["hello"]
    assert seen(runtime, signalled, 1) == [1]


@pytest.mark.parametrize(
    "record",
    [
        InboxRecord(signal=Signal(signal_id="s")),
        InboxRecord(signal=Signal(name="n")),
        InboxRecord(),
    ],
)
def test_what_is_no_signal_is_set_aside(runtime: Runtime, record: InboxRecord) -> None:
    inbox = runtime.config.topic_names.inbox
    place = runtime.publish(inbox, f"mirror/{runtime.fresh()}", record.SerializeToString())
    assert runtime.letter_at(place)["reason"] == "bad_inbox_record"
    runtime.assert_unharmed()
