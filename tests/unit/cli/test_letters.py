"""Which dead letters a command means."""

from __future__ import annotations

import pytest

from headgate.bootstrap import Bootstrap
from headgate.cli.broker import Broker
from headgate.cli.letter_filter import FilterError, LetterFilter
from headgate.cli.letters import NoLetterError, find, open_ones, tell_doubt
from headgate.config import loads
from headgate.kafka import letters, registry
from headgate.kafka.letters import Filed
from headgate.kafka.registry import Contents
from headgate.v1.turn_pb2 import AgentSpec, DeadLetter, SettledLetter

BROKER = Broker(Bootstrap("127.0.0.1:1"), loads(""))
ALL = LetterFilter()


@pytest.fixture(autouse=True)
def book(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two letters that stand open, and one that was replayed."""
    replayed = SettledLetter(fate=SettledLetter.REPLAYED)
    filed = [
        Filed(DeadLetter(id="a", reason="terminal"), None),
        Filed(DeadLetter(id="b", reason="terminal"), replayed),
        Filed(DeadLetter(id="c", reason="no_route"), None),
    ]
    monkeypatch.setattr(letters, "read_letters", lambda *_: iter(filed))


def ids(found: list[Filed]) -> list[str]:
    return [each.letter.id for each in found]


def test_what_was_settled_is_listed_only_if_it_is_asked_for() -> None:
    assert ids(list(find(BROKER, ALL, is_all=False))) == ["a", "c"]
    assert ids(list(find(BROKER, ALL, is_all=True))) == ["a", "b", "c"]
    terminal = LetterFilter(reason="terminal")
    assert ids(list(find(BROKER, terminal, is_all=False))) == ["a"]


def test_a_command_without_a_filter_means_none_unless_it_says_all() -> None:
    with pytest.raises(FilterError, match="which ones"):
        open_ones(BROKER, ALL, everything=False)
    assert ids(open_ones(BROKER, ALL, everything=True)) == ["a", "c"]


@pytest.mark.parametrize("missing", ["b", "z"])
def test_an_id_that_stands_open_nowhere_is_named_and_nothing_is_done(missing: str) -> None:
    with pytest.raises(NoLetterError, match=f"no open dead letter '{missing}'"):
        open_ones(BROKER, LetterFilter(ids=frozenset({"a", missing})), everything=False)


@pytest.mark.parametrize(
    ("wanted", "doubted"),
    [
        (LetterFilter(agent="ordr"), "no agent 'ordr' is attached, did you mean 'order'?"),
        (LetterFilter(address="ordr/17"), "no agent 'ordr' is attached, did you mean 'order'?"),
        (LetterFilter(agent="order"), ""),
        (LetterFilter(reason="terminal"), ""),
    ],
)
def test_where_no_letter_is_found_a_mistyped_name_is_doubted(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: LetterFilter,
    doubted: str,
) -> None:
    monkeypatch.setattr(registry, "read_contents", lambda *_: Contents({"order": AgentSpec()}))
    tell_doubt(BROKER, wanted)
    assert " ".join(capsys.readouterr().err.split()) == doubted
