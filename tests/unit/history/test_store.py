"""The store against a plain fold of the same history: as of every turn, at any moment."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import Engine

from headgate.history import schema
from headgate.history.errors import NeverSeenError, NotClosedError, RemovedError, StoreError
from headgate.history.opening import claim_topic, erase, open_store
from headgate.history.reading import Reader
from headgate.history.retention import remove_before
from headgate.history.store import Store
from headgate.sdk.testing import Stored
from headgate.v1.agent_pb2 import State
from headgate.v1.history_pb2 import Moment, StateAsOf
from headgate.v1.turn_pb2 import HistoryRecord
from tests.unit.history.conftest import TOPIC
from tests.unit.history.telling import PARTITIONS, START_US, Telling


def stored(state: State) -> Stored:
    logs = {name: tuple(window.items) for name, window in state.logs.items() if window.items}
    return Stored(dict(state.values), logs)


def assert_same(found: StateAsOf, expected: Stored) -> None:
    logs = {name: items for name, items in expected.logs.items() if items}
    assert stored(found.state) == Stored(dict(expected.values), logs)


def write_all(engine: Engine, told: Telling, seed: int) -> None:
    """Write what the store has not, in batches of any size, by writers that know nothing at first
    and are given what is written already once more.
    """
    rnd = random.Random(seed)  # noqa: S311 - to be repeated
    while True:
        store = Store(engine)
        positions = store.positions(PARTITIONS)
        for _ in range(rnd.randrange(1, 6)):
            begins = {n: positions[n].next_offset for n in range(PARTITIONS)}
            if all(begins[n] == len(told.records[n]) for n in begins):
                return
            some = [n for n in begins if rnd.random() < 0.7]
            store.write(
                [told.reads(n, begins[n], begins[n] + rnd.randrange(1, 20)) for n in some],
                positions,
            )


@pytest.mark.parametrize("seed", range(4))
def test_as_of_every_turn_and_moment_it_is_what_a_fold_makes(engine: Engine, seed: int) -> None:
    told = Telling(seed)
    told.go_on(150)
    write_all(engine, told, seed)
    reader = Reader(engine)
    for turn in told.turns:
        address = f"thing/{turn.outcome.key}"
        expected = told.at(turn.at_us)[address]
        found = reader.state(address, Moment(turn=turn.outcome.turn))
        assert (found.turn, found.at_us) == (turn.outcome.turn, turn.at_us)
        assert_same(found, expected)
        assert_same(reader.state(address, Moment(at_us=turn.at_us)), expected)
        before = reader.state(address, Moment(at_us=turn.at_us - 1))
        assert before.turn == turn.outcome.turn - 1
    rnd = random.Random(seed)  # noqa: S311 - to be repeated
    moments = [rnd.randrange(START_US, told.turns[-1].at_us) for _ in range(20)]
    # Where something happens, and just before.
    moments += [turn.at_us - rnd.randrange(2) for turn in told.turns[::5]]
    for at_us in moments:
        expected_all = told.at(at_us)
        snapshot = {f"{s.agent_type}/{s.key}": s for s in reader.snapshot(at_us)}
        assert snapshot.keys() == expected_all.keys()
        for address, state in snapshot.items():
            assert_same(state, expected_all[address])
        assert {m.id for m in reader.in_flight(at_us)} == told.in_flight(at_us)


def test_a_topic_that_was_made_anew_is_refused(engine: Engine, url: str) -> None:
    claim_topic(engine, "one")
    claim_topic(engine, "one")
    with pytest.raises(StoreError, match=r"removed and made anew .*headgate history rebuild"):
        claim_topic(engine, "other")
    engine.dispose()
    erase(url, topic=TOPIC)
    fresh = open_store(url, topic=TOPIC)
    claim_topic(fresh, "other")
    fresh.dispose()


def test_a_closed_moment_is_answered_the_same_later(engine: Engine) -> None:
    told = Telling(7)
    told.go_on(60)
    write_all(engine, told, 1)
    reader = Reader(engine)
    at_us = told.turns[-1].at_us
    first = [state.SerializeToString(deterministic=True) for state in reader.snapshot(at_us)]
    told.go_on(200)
    write_all(engine, told, 2)
    again = [state.SerializeToString(deterministic=True) for state in reader.snapshot(at_us)]
    assert again == first


def test_a_moment_that_is_not_closed_everywhere_is_refused(engine: Engine) -> None:
    told = Telling(3)
    told.go_on(30)
    store = Store(engine)
    positions = store.positions(PARTITIONS)
    reader = Reader(engine)
    with pytest.raises(NotClosedError, match="no moment is closed yet"):
        next(reader.snapshot(0))
    # One partition is behind: nobody knows what it has to say.
    for number in range(PARTITIONS - 1):
        store.write([told.reads(number, 0, 1_000)], positions)
    at_us = told.turns[-1].at_us
    with pytest.raises(NotClosedError):
        next(reader.snapshot(at_us))
    store.write([told.reads(PARTITIONS - 1, 0, 1_000)], positions)
    assert list(reader.snapshot(at_us))
    with pytest.raises(NotClosedError, match="is not closed yet: turns until"):
        next(reader.snapshot(at_us + 1))
    address = f"thing/{told.turns[-1].outcome.key}"
    with pytest.raises(NotClosedError):
        reader.state(address, Moment(at_us=at_us + 1))
    with pytest.raises(NeverSeenError, match="has no turn 999"):
        reader.state(address, Moment(turn=999))
    with pytest.raises(NeverSeenError, match="no turn of thing/nobody"):
        reader.state("thing/nobody")


def test_of_two_writers_the_first_is_refused_and_nothing_is_written_twice(engine: Engine) -> None:
    told = Telling(5)
    told.go_on(40)
    one, two = Store(engine), Store(engine)
    mine = one.positions(PARTITIONS)
    one.write([told.reads(0, 0, 10)], mine)
    theirs = two.positions(PARTITIONS)
    # Whatever they write: two that number instances would give one number twice.
    for number in range(PARTITIONS):
        with pytest.raises(StoreError, match="has taken over this store"):
            one.write([told.reads(number, mine[number].next_offset, 20)], mine)
    two.write([told.reads(1, 0, 10)], theirs)
    write_all(engine, told, 1)
    assert Reader(engine).position().turns == len(told.turns)


def test_a_batch_is_written_with_its_position_or_not_at_all(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Telling(4)
    told.go_on(60)
    store = Store(engine)
    positions = store.positions(PARTITIONS)

    def broken(*_: object) -> None:
        message = "the power is gone"
        raise OSError(message)

    monkeypatch.setattr(store, "_write_positions", broken)
    with pytest.raises(OSError, match="power"):
        store.write([told.reads(0, 0, 10)], positions)
    monkeypatch.undo()
    assert Reader(engine).position().turns == 0
    assert positions[0].next_offset == 0
    # The same writer goes on, and knows no more than what was written.
    store.write([told.reads(n, 0, 1_000) for n in range(PARTITIONS)], positions)
    for address, expected in told.at(told.turns[-1].at_us).items():
        assert_same(Reader(engine).state(address), expected)


def test_turns_that_a_restored_job_writes_again_count_once(engine: Engine) -> None:
    told = Telling(6)
    told.go_on(50)
    for records in told.records.values():
        # From the middle on, as a job from an older savepoint does.
        records += [each for each in records[len(records) // 2 :] if each.HasField("outcome")]
    write_all(engine, told, 3)
    reader = Reader(engine)
    assert reader.position().turns == len(told.turns)
    for address, expected in told.at(told.turns[-1].at_us).items():
        assert_same(reader.state(address), expected)


def test_a_turn_at_a_closed_moment_is_counted(engine: Engine) -> None:
    told = Telling(8, instances=1)
    told.go_on(5)
    late = HistoryRecord(at_us=told.turns[-1].at_us)
    late.outcome.agent_type, late.outcome.key, late.outcome.turn = "thing", "3", 1
    late.outcome.completed.SetInParent()
    told.records[0].append(late)
    write_all(engine, told, 1)
    assert [p.late_turns for p in Reader(engine).position().partitions] == [1, 0, 0]


def test_an_instance_whose_first_turns_are_gone_is_marked(engine: Engine) -> None:
    told = Telling(9, instances=1)
    told.go_on(5)
    del told.records[0][:2]
    write_all(engine, told, 1)
    assert Reader(engine).state("thing/0").is_incomplete


@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_kept_is_refused_and_the_rest_is_as_it_was(engine: Engine, seed: int) -> None:
    told = Telling(seed)
    told.go_on(120)
    write_all(engine, told, seed)
    reader = Reader(engine)
    horizon = told.turns[60].at_us + 1
    assert remove_before(engine, horizon) > 0
    with pytest.raises(RemovedError, match=r"history\.keep"):
        next(reader.snapshot(horizon - 1))
    address = f"thing/{told.turns[60].outcome.key}"
    with pytest.raises(RemovedError):
        reader.state(address, Moment(at_us=horizon - 1))
    for at_us in (horizon, *(turn.at_us for turn in told.turns[61:])):
        expected = told.at(at_us)
        found = {f"{s.agent_type}/{s.key}": s for s in reader.snapshot(at_us)}
        assert found.keys() == expected.keys()
        for each, state in found.items():
            assert_same(state, expected[each])
            assert reader.state(each, Moment(at_us=at_us)).turn == state.turn
        assert {m.id for m in reader.in_flight(at_us)} == told.in_flight(at_us)
    assert reader.position().turns < len(told.turns)
    told.go_on(60)
    write_all(engine, told, seed)
    for each, expected_now in told.at(told.turns[-1].at_us).items():
        assert_same(reader.state(each), expected_now)


def test_a_store_is_of_one_topic_and_one_version(url: str) -> None:
    with pytest.raises(StoreError, match="no history yet"):
        open_store(url)
    open_store(url, topic=TOPIC).dispose()
    with pytest.raises(StoreError, match=f"history of {TOPIC}, not of another"):
        open_store(url, topic="another")
    engine = open_store(url)
    Store(engine).positions(PARTITIONS)
    with pytest.raises(StoreError, match="of 3 partitions, this one has 4"):
        Store(engine).positions(4)
    engine.dispose()
    erase(url, topic="another")
    open_store(url, topic="another").dispose()


def test_a_store_of_another_version_is_refused_until_it_is_made_anew(url: str) -> None:
    engine = open_store(url, topic=TOPIC)
    settings = schema.settings
    with engine.begin() as writing:
        writing.execute(settings.update().where(settings.c.name == "version").values(value="1"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"is of version 1, .* `headgate history rebuild`"):
        open_store(url, topic=TOPIC)
    erase(url, topic=TOPIC)
    open_store(url, topic=TOPIC).dispose()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nonsense", "is no store"),
        ("mysql://a@b/c", "not in mysql"),
        ("postgresql://headgate@127.0.0.1:9/none", "cannot be used"),
    ],
)
def test_what_is_no_store_is_said(given: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        open_store(given, topic=TOPIC)
