"""Files of recorded turns: what is written is read again, a damaged line is named by its number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headgate.replay.file import RecordedFileError, read, write
from headgate.replay.recorded import LeftOut, RecordedTurn
from headgate.sim.face import HeadgateSim, default_policy
from tests.unit.replay.past import lived, turns_of

Change = Callable[[list[Any]], None]


@pytest.fixture
def turns(headgate_sim: HeadgateSim) -> list[RecordedTurn]:
    return turns_of(headgate_sim, lived(headgate_sim))


@pytest.fixture
def path(tmp_path: Path, turns: list[RecordedTurn]) -> Path:
    path = tmp_path / "turns.jsonl"
    write(path, "order", default_policy(), [*turns, LeftOut("order/17", 99, "gone")])
    return path


def test_what_is_written_is_read_again(path: Path, turns: list[RecordedTurn]) -> None:
    found = read(path)
    assert found.agent_type == "order"
    assert found.policy == default_policy()
    assert list(found.turns) == turns
    assert found.turns[0].policy == default_policy()
    assert found.left_out == (LeftOut("order/17", 99, "gone"),)
    assert [child.name for child in path.parent.iterdir()] == ["turns.jsonl"]


def test_a_file_that_fails_to_be_written_stays_as_it_was(
    path: Path, turns: list[RecordedTurn]
) -> None:
    before = path.read_bytes()

    def broken() -> Any:
        yield turns[0]
        message = "Kafka is away"
        raise OSError(message)

    with pytest.raises(OSError, match="Kafka is away"):
        write(path, "order", default_policy(), broken())
    assert write(path, "order", default_policy(), [LeftOut("order/1", 1, "gone")])[0] == 0
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def drop(name: str, line: int = 1) -> Change:
    return lambda lines: lines[line].pop(name)


def put(name: str, value: Any, line: int = 1) -> Change:
    return lambda lines: lines[line].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop("before"), "line 2: 'before' is missing"),
        (drop("turn"), "line 2: 'turn' is missing"),
        (put("events", []), "line 2: it has 0 events, its turn took 1"),
        (put("turn", {}), "line 2: it is a turn of '', and the file is of 'order'"),
        (put("before", {"values": 5}), "line 2: .*values"),
        (put("before", {"valeus": {}}), 'line 2: .*"valeus"'),
        (
            put("events", [{"id": "other"}]),
            r"line 2: event 'other' \(\) is not '\S+' \([0-9a-f]{32}\)",
        ),
        (lambda lines: lines[2]["turn"]["outcome"].pop("completed"), "line 3: .* no verdict"),
        (lambda lines: lines.__setitem__(2, [1]), "line 3: it is no JSON object"),
        (put("left_out", {"address": "order/1"}, 3), "line 4: 'turn' is missing"),
        (
            lambda lines: lines.append(lines[1]),
            r"line \d+: turn \d+ of order/\S+ stands in line 2 ",
        ),
        (drop("policy", 0), "line 1: agent and policy cannot be read"),
        (put("version", 2, 0), "is of version 2; this Headgate reads 1"),
        (put("format", "else", 0), "it holds no recorded turns.*headgate record"),
    ],
)
def test_a_damaged_line_is_named(path: Path, change: Change, said: str) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("\n".join(json.dumps(line) for line in lines))
    with pytest.raises(RecordedFileError, match=said):
        read(path)


def test_what_is_no_such_file_is_told_so(path: Path) -> None:
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(RecordedFileError, match=r"turns.jsonl, line \d+: it is no JSON"):
        read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecordedFileError, match="cannot be read"):
        read(path)
    path.write_text("")
    with pytest.raises(RecordedFileError, match="holds no recorded turns"):
        read(path)
    with pytest.raises(RecordedFileError, match="No such file"):
        read(path.with_name("none"))
