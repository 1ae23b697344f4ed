"""Gaps are what the journal promises and the topics lack: all of it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from headgate.config import Config
from headgate.core.model import OutcomeRead
from headgate.core.replay import Standing
from headgate.repair.gaps import Follower, Survey
from headgate.repair.present import Present
from headgate.v1.turn_pb2 import Controlled, ParkedInstance
from tests.unit.core.build import ADDRESS, NOW_MS, Host, decision_of
from tests.unit.repair.turns import HISTORY, LETTERS, OUTBOX, Life, live

PARKED = "headgate.parked"
KEPT = list(live().records)


def present_of(life: Life, lost: Iterable[tuple[str, str]]) -> Present:
    """Return what readers see of a life if some of its records were lost."""
    there = set(life.records) - set(lost)
    present = Present()
    for told in life.histories:
        if (HISTORY, f"{ADDRESS}/{told.outcome.turn}") in there:
            after = Standing(told.base_after, told.outcome.turn, told.at_us)
            present.turns[told.outcome.outcome_id] = after
    present.outputs = {name for topic, name in there if topic == OUTBOX}
    present.letters = {name for topic, name in there if topic == LETTERS}
    return present


def gaps_of(
    present: Present, reads: Iterable[OutcomeRead]
) -> tuple[dict[tuple[str, str], bytes], Survey]:
    """Follow outcomes; return the gaps' values by topic and id."""
    found = Survey()
    follower = Follower(Config().topic_names, present, found)
    if follower.follow((ADDRESS, read) for read in reads):
        found.whole.add(0)
    assert len({(gap.topic, gap.id) for gap in found.gaps}) == len(found.gaps)
    return {(gap.topic, gap.id): gap.value for gap in found.gaps}, found


def test_a_whole_life_has_no_gap() -> None:
    life = live()
    gaps, found = gaps_of(present_of(life, []), life.reads)
    assert gaps == {}
    # The loser and the repeat are no turns.
    assert found.turns == len(life.reads) - 2
    assert found.whole == {0}


@pytest.mark.parametrize("lost", [*([each] for each in KEPT), KEPT, KEPT[:3], KEPT[-4:]])
def test_what_was_lost_is_made_again_byte_for_byte(lost: list[tuple[str, str]]) -> None:
    life = live()
    gaps, found = gaps_of(present_of(life, lost), life.reads)
    # The reset said that the instance is not parked, in the transaction of its history.
    reset = f"{ADDRESS}/4"
    parked = {(PARKED, reset): b""} if (HISTORY, reset) in lost else {}
    assert gaps == {**{each: life.records[each] for each in lost}, **parked}
    assert found.uncertain == []
    assert found.whole == set()


def test_of_parking_only_the_last_word_is_made_again() -> None:
    life, host = Life(), Host()
    for verb in (Controlled.PARK, Controlled.RESUME, Controlled.PARK):
        control = decision_of(host.wish(verb, control_id=str(len(life.reads))))
        control.outcome_id = bytes([len(life.reads)]) * 16
        life.take(host, control)
    turns = [f"{ADDRESS}/{turn}" for turn in (1, 2, 3)]
    gaps, _ = gaps_of(present_of(life, [(HISTORY, turns[0])]), life.reads)
    assert set(gaps) == {(HISTORY, turns[0])}
    gaps, _ = gaps_of(present_of(life, [(HISTORY, turn) for turn in turns]), life.reads)
    assert {name for topic, name in gaps if topic == PARKED} == {turns[2]}
    assert ParkedInstance.FromString(gaps[PARKED, turns[2]]).turn == 3


def test_the_history_tells_where_a_shortened_journal_begins() -> None:
    life = live()
    # Retention has taken the first outcome; its turn is in the history, before the journal's begin.
    present = present_of(life, [(OUTBOX, f"{ADDRESS}/2/0"), *KEPT[-2:]])
    present.before[ADDRESS] = present.turns.pop(life.reads[0].outcome.outcome_id)
    gaps, found = gaps_of(present, life.reads[1:])
    assert set(gaps) == set(KEPT[-2:])
    assert found.uncertain == []


def test_a_turn_that_nothing_leads_to_is_uncertain_and_left_alone() -> None:
    life = live()
    gaps, found = gaps_of(Present(), life.reads[3:])
    assert gaps == {}
    assert found.uncertain[0] == f"{ADDRESS}/2"
    assert found.whole == set()


def test_a_turn_of_which_nobody_knows_leaves_its_partition_in_doubt() -> None:
    life = live()
    known = present_of(life, [])
    stranger = OutcomeRead(life.reads[3].outcome, life.reads[3].raw, NOW_MS, 0, 9)
    found = Survey()
    reads = [*((ADDRESS, read) for read in life.reads), ("echo/stranger", stranger)]
    known.turns.pop(stranger.outcome.outcome_id)
    del reads[3]
    assert not Follower(Config().topic_names, known, found).follow(reads)
    assert found.uncertain == ["echo/stranger/2"]
    assert found.gaps == []
