"""Two axes, searches, parked instances, and what a question says of a turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from sqlalchemy import Engine

from headgate.core.identity import address_of
from headgate.history.changes import changes_between
from headgate.history.conditions import read_test, read_where
from headgate.history.errors import MomentError
from headgate.history.parquet import write_parquet
from headgate.history.reading import Reader
from headgate.history.times import read_moment
from headgate.history.views import state_view, turn_view
from headgate.v1.history_pb2 import Moment
from tests.unit.history.conftest import HOUR, NOW, Write


def believed(engine: Engine, known: float, true: float) -> dict[str, Any]:
    moment = Moment(at_us=NOW + int(known * HOUR), valid_us=NOW + int(true * HOUR))
    seen = state_view(Reader(engine).state("meter/1", moment))
    return {**seen.get("values", {}), **seen.get("lists", {})}


def test_a_late_correction_is_known_since_it_came_and_true_since_it_says(
    engine: Engine, write: Write
) -> None:
    write("meter/1", 1, about=1, level=10, append={"read": 10})
    write("meter/1", 4, about=4, level=40, append={"read": 40})
    # At five o'clock it becomes known what it had been at two.
    write("meter/1", 5, about=2, level=20, append={"read": 20})
    write("meter/1", 6, about=3, delete="read")
    assert believed(engine, 4.5, 2.5) == {"level": 10, "read": [10]}
    assert believed(engine, 5.5, 2.5) == {"level": 20, "read": [10, 20]}
    assert believed(engine, 5.5, 4.5) == {"level": 40, "read": [10, 20, 40]}
    assert believed(engine, 5.5, 0.5) == {}
    assert believed(engine, 6.0, 3.5) == {"level": 20}
    assert believed(engine, 6.0, 4.5) == {"level": 40, "read": [40]}
    # What was recorded last is what the agent has now, whatever it is about.
    now = state_view(Reader(engine).state("meter/1"))
    assert now["values"] == {"level": 20}


def test_conditions_find_by_value_and_by_path(engine: Engine, write: Write) -> None:
    write("order/1", 1, status="open", customer={"city": "Rome", "tags": {"vip": True}}, n=1)
    write("order/2", 2, status="open", customer={"city": "Oslo"}, n=True)
    write("order/3", 3, status="paid", customer={"city": "Rome"}, n=1)
    write("other/1", 4, status="open", text="ü")
    write("order/1", 5, status="paid")

    def found(at: float, *given: str, agent_type: str = "") -> list[str]:
        tests = [read_test(*read_where(each)) for each in given]
        at_us = NOW + int(at * HOUR)
        snapshot = Reader(engine).snapshot(at_us, agent_type=agent_type, where=tests)
        return [address_of(each.agent_type, each.key) for each in snapshot]

    assert found(4, "status=open") == ["order/1", "order/2", "other/1"]
    assert found(4, "status=open", agent_type="order") == ["order/1", "order/2"]
    assert found(5, "status=open") == ["order/2", "other/1"]
    assert found(4, "status=open", "customer.city=Rome") == ["order/1"]
    assert found(4, "customer.tags.vip=true") == ["order/1"]
    # JSON's true is no 1.
    assert found(4, "n=1") == ["order/1", "order/3"]
    assert found(4, "n=true") == ["order/2"]
    assert found(4, "text=ü") == ["other/1"]
    assert found(4, "status.deeper=open") == []
    assert found(4, 'customer={"city": "Oslo"}') == ["order/2"]


def test_a_parked_instance_is_parked_until_it_goes_on(engine: Engine, write: Write) -> None:
    write("order/1", 1, total=5)
    write("order/1", 2, park="no such article")
    write("order/1", 3, resume=True)
    reader = Reader(engine)
    told = [
        state_view(reader.state("order/1", Moment(at_us=NOW + at * HOUR))).get("parked")
        for at in (1, 2, 3)
    ]
    assert [each and each["message"] for each in told] == [None, "no such article", None]
    [parked] = reader.snapshot(NOW + 2 * HOUR, only=["total"])
    assert parked.parked.message == "no such article"
    assert dict(parked.state.values) == {"total": b"5"}


def test_what_changed_names_its_turn(engine: Engine, write: Write) -> None:
    write("order/1", 1, total=5, note="x", append={"lines": "a"})
    write("order/1", 2, total=7, append={"lines": "b"})
    write("order/1", 3, paid=True, delete="note")
    reader = Reader(engine)
    before, after = (reader.state("order/1", Moment(turn=turn)) for turn in (1, 3))
    assert changes_between(before, after) == [
        {"name": "note", "change": "removed", "from": "x"},
        {"name": "paid", "change": "added", "turn": 3, "to": True},
        {"name": "total", "change": "changed", "turn": 2, "from": 5, "to": 7},
        {"name": "lines", "change": "appended", "turn": 2, "to": ["b"]},
    ]
    [turn] = reader.turns("order/1", first=2, last=2)
    seen = turn_view(turn)
    assert (seen["turn"], seen["events"][0]["id"]) == (2, "order/1-2")
    assert [each.record.outcome.turn for each in reader.turns("order/1", newest=2)] == [2, 3]


def test_a_parquet_file_has_a_row_for_each_instance(
    engine: Engine, write: Write, tmp_path: Path
) -> None:
    write("order/1", 1, total=5, append={"lines": "a"})
    write("order/eu/2", 2, total=6)
    file = tmp_path / "all.parquet"
    assert write_parquet(file, Reader(engine).snapshot(NOW + 2 * HOUR), NOW + 2 * HOUR) == 2
    table = pyarrow.parquet.read_table(file)
    assert table.schema.metadata[b"headgate.as_of_us"] == str(NOW + 2 * HOUR).encode()
    rows = table.to_pylist()
    assert [(row["address"], row["key"], row["turn"]) for row in rows] == [
        ("order/1", "1", 1),
        ("order/eu/2", "eu/2", 1),
    ]
    assert json.loads(rows[0]["values"]) == {"total": 5}
    assert json.loads(rows[0]["lists"]) == {"lines": ["a"]}
    assert [each.name for each in tmp_path.glob(".*")] == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("90s", NOW - 90_000_000),
        ("10m ago", NOW - 600_000_000),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14", 1_699_920_000_000_000),
    ],
)
def test_moments_as_people_write_them(text: str, moment: int) -> None:
    assert read_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "10", "2023-99-99", "-5m"])
def test_what_is_no_moment_is_said(text: str) -> None:
    with pytest.raises(MomentError, match="is no moment"):
        read_moment(text, NOW)


@pytest.mark.parametrize("text", ["", "=1", "status"])
def test_what_is_no_condition_is_said(text: str) -> None:
    with pytest.raises(MomentError, match="no condition"):
        read_where(text)
