"""A turn replayed by itself makes the bytes that the job has written."""

from __future__ import annotations

from headgate.core.replay import genesis, replay
from tests.unit.core.build import ADDRESS
from tests.unit.repair.turns import HISTORY, LETTERS, OUTBOX, live


def test_what_a_turn_makes_needs_its_base_number_and_time_only() -> None:
    life, standing, made = live(), genesis(ADDRESS), {}
    for read in life.reads:
        turn = replay(ADDRESS, standing, read)
        if turn is None:
            continue
        standing = turn.standing
        name = f"{ADDRESS}/{standing.turn}"
        made[HISTORY, name] = turn.history
        made.update({(OUTBOX, f"{name}/{n}"): value for n, value in enumerate(turn.outputs)})
        made.update(((LETTERS, name), value) for value in turn.letters)
    assert made == life.records
    assert {topic for topic, _ in made} == {OUTBOX, HISTORY, LETTERS}


def test_an_outcome_on_another_base_makes_nothing() -> None:
    life = live()
    first = replay(ADDRESS, genesis(ADDRESS), life.reads[0])
    assert first is not None
    assert replay(ADDRESS, first.standing, life.reads[0]) is None
