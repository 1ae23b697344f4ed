"""Lines for people: aligned, harmless to the terminal, cut at its edge."""

import pytest

from headgate.cli.lines import cells, is_about
from headgate.cli.stream import Cell, Lines
from headgate.kafka.views import Kind, View

PLACE = {
    "topic": "t",
    "partition": 1,
    "offset": 7,
    "timestamp": "2023-11-14T22:13:20.123000Z",
    "key": "k",
}
TURN: View = {
    "_record": PLACE,
    "address": "order/17",
    "turn": 3,
    "attempt": 2,
    "verdict": "failed",
    "at": "2023-11-14T22:13:20.456000Z",
    "events": [{}, {}],
    "failure": {"code": "bad_reply", "message": "no", "then": "retry", "retry_after_ms": 200},
    "call_ms": 20.4,
    "revision": "v3",
}
EVENT: View = {
    "_record": PLACE,
    "specversion": "1.0",
    "source": "headgate:order/17",
    "type": "shop.reply",
    "time": "2023-11-14T22:13:20.456000Z",
    "sequence": "00000000000000000003.000001",
    "data": {"text": "hé"},
}
LETTER: View = {
    "_record": PLACE,
    "address": "",
    "reason": "not_json",
    "message": "messages/1@5: no JSON",
    "at": "2023-11-14T22:13:20.456000Z",
    "origin": {"topic": "messages", "partition": 1, "offset": 5},
}


def texts(kind: Kind, seen: View) -> list[str]:
    """The columns without their colours."""
    return [cell.text for cell in cells(kind, seen)]


@pytest.mark.parametrize(
    ("kind", "seen", "line"),
    [
        ("outbox", EVENT, ["22:13:20.456", "order/17", "#3.1", "shop.reply", '{"text": "hé"}']),
        (
            "history",
            TURN,
            [
                "22:13:20.456",
                "order/17",
                "#3",
                "failed bad_reply",
                "'no' retry in 200 ms attempt 2 events=2 20 ms revision v3",
            ],
        ),
        ("dead-letters", LETTER, ["22:13:20.456", "k", "not_json", "messages/1@5: no JSON"]),
        (
            "outbox",
            {"_record": PLACE, "_unreadable": "why", "value": "x" * 500},
            ["22:13:20.123", "t/1@7", "unreadable", f"why: {'x' * 200}"],
        ),
    ],
)
def test_a_record_is_a_line(kind: Kind, seen: View, line: list[str]) -> None:
    assert texts(kind, seen) == line


def test_the_journal_tells_where_the_outcome_stands() -> None:
    journaled = {name: part for name, part in TURN.items() if name != "at"}
    shown = texts("journal", journaled)
    assert shown[0] == "22:13:20.123"
    assert shown[-1].endswith("t/1@7")


@pytest.mark.parametrize(
    ("kind", "seen"), [("outbox", EVENT), ("history", TURN), ("journal", TURN)]
)
def test_an_address_picks_what_is_about_it(kind: Kind, seen: View) -> None:
    assert is_about(kind, seen, "order/17")
    assert is_about(kind, seen, "k")
    assert not is_about(kind, seen, "order/1")


def test_columns_are_as_wide_as_the_widest_so_far() -> None:
    lines = Lines(is_terminal=False)
    wide, narrow = [Cell("ab你"), Cell("x")], [Cell("a"), Cell("y")]
    assert [lines.render(wide), lines.render(narrow)] == ["ab你  x", "a     y"]


def test_a_pipe_gets_whole_lines_without_colour() -> None:
    line = Lines(is_terminal=False).render([Cell("a", "red"), Cell("x" * 500, "green")])
    assert line == "a  " + "x" * 500


def test_a_terminal_gets_colour_and_lines_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    line = Lines(is_terminal=True, width=10).render([Cell("a", "red"), Cell("x" * 500)])
    assert line == "\x1b[31ma\x1b[0m  xxxxxx…"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert Lines(is_terminal=True, width=80).render([Cell("a", "red")]) == "a"


def test_a_record_cannot_steer_the_terminal() -> None:
    line = Lines(is_terminal=False).render([Cell("a\x1b[2J\nb\x9b")])
    assert line == r"a\x1b[2J\nb\x9b"
