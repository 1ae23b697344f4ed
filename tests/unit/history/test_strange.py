"""What others put into the topic, stores that have lost something, questions that are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from headgate.history.answers import Answers
from headgate.history.errors import NotClosedError, RemovedError
from headgate.history.http import make_app
from headgate.history.reading import Reader
from headgate.history.retention import remove_before
from headgate.history.store import Read, Store
from headgate.v1.history_pb2 import Moment
from headgate.v1.turn_pb2 import HistoryRecord

NOW = 1_700_000_000_000_000


def turn(number: int, at_us: int, key: str = "1", **values: bytes) -> HistoryRecord:
    record = HistoryRecord(at_us=at_us)
    record.outcome.agent_type, record.outcome.key, record.outcome.turn = "thing", key, number
    record.outcome.completed.SetInParent()
    for name, value in values.items():
        record.outcome.mutations.add(name=name, set=value)
    return record


def closed(until_us: int, partition: int = 0) -> HistoryRecord:
    record = HistoryRecord()
    record.closed.partition, record.closed.until_us = partition, until_us
    return record


def with_agent(agent_type: str) -> HistoryRecord:
    record = turn(1, NOW)
    record.outcome.agent_type = agent_type
    return record


STRANGE = {
    "garbage": b"\xff\xfegarbage",
    "nothing": b"",
    "text": b"hello",
    "no agent": with_agent("").SerializeToString(),
    "a slash": with_agent("a/b").SerializeToString(),
    "no turn": turn(0, NOW).SerializeToString(),
    "a huge turn": turn(2**64 - 1, NOW).SerializeToString(),
    "no time": turn(1, 0).SerializeToString(),
    "before 1970": turn(1, -5).SerializeToString(),
    "after all time": turn(1, 2**63 - 1).SerializeToString(),
    "not after the one before": turn(2, NOW).SerializeToString(),
    "closes for ever": closed(2**63 - 1).SerializeToString(),
    "closes another": closed(NOW + 9, partition=7).SerializeToString(),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_none_of_headgates_is_passed_over_and_counted(
    engine: Engine, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(engine)
    positions = store.positions(1)
    values = [turn(1, NOW, a=b"1").SerializeToString(), STRANGE[name]]
    values += [each.SerializeToString() for each in (turn(2, NOW + 1, a=b"2"), closed(NOW + 1))]
    store.write([Read(0, values, 4, [10, 11, 12, 13])], positions)
    reader = Reader(engine)
    [partition] = reader.position().partitions
    assert (partition.strange_records, partition.closed_us) == (1, NOW + 1)
    assert "history/0@11 is passed over" in caplog.text
    [state] = reader.snapshot()
    assert (state.turn, dict(state.state.values)) == (2, {"a": b"2"})


def test_names_may_have_any_character(engine: Engine) -> None:
    store = Store(engine)
    positions = store.positions(1)
    keys = ("a\0b", "a\\0b", "a\\b", "ü/é", "'; --")
    records = [turn(1, NOW, key) for key in keys]
    for record, key in zip(records, keys, strict=True):
        record.outcome.mutations.add(name=key, set=b"1")
    values = [each.SerializeToString() for each in (*records, closed(NOW))]
    store.write([Read(0, values, len(values))], positions)
    for key in keys:
        found = Reader(engine).state(f"thing/{key}")
        assert (found.key, dict(found.state.values)) == (key, {key: b"1"})


def test_the_second_axis_is_refused_where_some_of_it_is_not_kept(engine: Engine) -> None:
    store = Store(engine)
    positions = store.positions(1)
    records = [turn(n, NOW + n, level=b"%d" % n) for n in (1, 2, 3)]
    records += [turn(1, NOW + 2, "2", level=b"9"), closed(NOW + 3)]
    store.write([Read(0, [each.SerializeToString() for each in records], 5)], positions)
    reader = Reader(engine)
    known = Moment(at_us=NOW + 3, valid_us=NOW + 3)
    assert reader.state("thing/1", known).state.values["level"] == b"3"
    remove_before(engine, NOW + 2)
    with pytest.raises(RemovedError, match="needs all of its turns"):
        reader.state("thing/1", known)
    # Of this one nothing was removed.
    assert reader.state("thing/2", known).state.values["level"] == b"9"
    assert reader.state("thing/1", Moment(at_us=NOW + 2)).state.values["level"] == b"2"


def test_what_a_new_store_of_an_old_topic_cannot_know_is_refused(engine: Engine) -> None:
    store = Store(engine)
    positions = store.positions(1)
    store.skip(0, 100, positions)
    with pytest.raises(NotClosedError):
        next(Reader(engine).snapshot())
    records = [turn(7, NOW, a=b"1"), turn(8, NOW + 5, a=b"2"), closed(NOW + 5)]
    store.write([Read(0, [each.SerializeToString() for each in records], 103)], positions)
    reader = Reader(engine)
    assert reader.position().partitions[0].lacks_beginning
    assert reader.position().horizon_us == NOW
    with pytest.raises(RemovedError, match="the topic had no more"):
        next(reader.snapshot(NOW - 1))
    with pytest.raises(RemovedError):
        reader.state("thing/1", Moment(at_us=NOW - 1))
    [state] = reader.snapshot(NOW + 5)
    assert state.is_incomplete
    # Another life of the service does not forget it.
    assert Store(engine).positions(1)[0].begin_us == NOW


def test_a_message_whose_sending_is_yet_to_be_read_is_not_removed(engine: Engine) -> None:
    store = Store(engine)
    positions = store.positions(2)
    taking = turn(1, NOW + 1, "taker")
    taking.outcome.taken.add(id="thing/sender/1/m0", source="headgate:thing/sender")
    sending = turn(1, NOW, "sender")
    sending.outcome.messages.add(agent_type="thing", key="taker", type="told")
    store.write([Read(1, [taking.SerializeToString()], 1)], positions)
    remove_before(engine, NOW + 2)
    values = [sending.SerializeToString(), closed(NOW + 9).SerializeToString()]
    store.write([Read(0, values, 2)], positions)
    store.write([Read(1, [closed(NOW + 9, 1).SerializeToString()], 2)], positions)
    assert list(Reader(engine).in_flight(NOW + 9)) == []


def test_a_message_that_was_taken_before_it_was_sent_stops_nothing(engine: Engine) -> None:
    store = Store(engine)
    positions = store.positions(1)
    taking = turn(1, NOW, "taker")
    taking.outcome.taken.add(id="thing/sender/1/m0", source="headgate:thing/sender")
    sending = turn(1, NOW + 5, "sender")
    sending.outcome.messages.add(agent_type="thing", key="taker", type="told")
    values = [each.SerializeToString() for each in (taking, sending, closed(NOW + 9))]
    store.write([Read(0, values, 3)], positions)
    reader = Reader(engine)
    for at_us in range(NOW, NOW + 10):
        assert list(reader.in_flight(at_us)) == []


class Idle:
    """A double: a follower that has nothing to follow, for the questions are what is tested."""

    failure = None
    waits_for = ""

    def ends(self) -> dict[int, int]:
        return {}


@pytest.fixture
def http(engine: Engine) -> Iterator[Any]:
    store = Store(engine)
    positions = store.positions(1)
    values = [turn(1, NOW, a=b"1").SerializeToString(), closed(NOW).SerializeToString()]
    store.write([Read(0, values, 2)], positions)
    double: Any = Idle()
    with TestClient(make_app(Answers(Reader(engine), double))) as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (
            "/state/thing/1?as_off=10m",
            400,
            "as_off: not known here; there is as_of, turn, valid_at",
        ),
        ("/state/thing/1?as_of=1970-01-01", 400, "before 1970"),
        ("/state/thing/1?valid_at=1970-01-01", 400, "before 1970"),
        ("/snapshot?as_of=1900-01-01", 400, "before 1970"),
        ("/state/thing/1?turn=0", 400, "numbered from 1"),
        ("/state/thing/1?turn=1&as_of=1s", 400, "give one of them"),
        ("/state/thing/1?turn=-1", 400, "number of turns"),
        ("/state/thing/1?turn=2", 404, "has no turn 2 yet: its last is 1"),
        ("/state/thing/2", 404, "no turn of thing/2"),
        ("/diff/thing/1?to_turn=1", 400, "from what?"),
        ("/diff/thing/1?from=1h&from_turn=1", 400, "from and from_turn: give one of them"),
        ("/diff/thing/1?from_turn=x", 400, "number of turns"),
        ("/diff/thing/1?from_turn=1&as_of=1h", 400, "as_of: not known here"),
        ("/turns/thing/1?newest=x", 400, "number of turns"),
        ("/snapshot?where=a", 400, "write NAME=VALUE"),
        ("/snapshot?" + "&".join(["where=a=1"] * 21), 400, "at most 20"),
        ("/nowhere", 404, "GET /state"),
    ],
)
def test_a_question_that_is_none_is_refused_with_what_there_is(
    http: Any, asked: str, status: int, said: str
) -> None:
    found = http.get(asked)
    assert found.status_code == status
    assert said in found.json()["error"]["message"]


def test_odd_questions_are_answered(http: Any) -> None:
    assert http.get("/snapshot", params={"where": 'a="\\ud800"'}).text == ""
    assert http.get("/snapshot", params={"where": "a=1"}).json()["values"] == {"a": 1}
    assert http.get("/state/thing/1", headers={"Prefer": f"wait={'9' * 5_000}"}).status_code == 200
    assert http.get("/state/thing/1?as_of=2023-11-14T22:13:20Z").json()["turn"] == 1
    assert http.get("/health").json() == {"status": "serving"}
