"""Schedules in memory: each occurrence once, whatever crashes; what was missed, by policy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from headgate.schedules.agent import NAME, Schedule, make_scheduler
from headgate.sdk import Agent, Event, Log, Turn, log
from headgate.sim.face import HeadgateSim

ADDRESS = f"{NAME}/daily"
MORNING = {"cron": "0 9 * * *", "zone": "Europe/Berlin", "address": "report/all", "type": "due"}


@dataclass
class Report:
    """When it was asked for."""

    asked: Log[str] = log()  # noqa: RUF009 - declares a field


@pytest.fixture
def sim(headgate_sim: HeadgateSim) -> HeadgateSim:
    agent = Agent("report", Report)

    @agent.on("due")
    def due(turn: Turn[Report], event: Event) -> None:
        assert event.extensions["schedule"] == "daily"
        turn.state.asked.append(event.extensions["dueat"])

    headgate_sim.attach(make_scheduler())
    headgate_sim.attach(agent)
    return headgate_sim


def tell(sim: HeadgateSim, verb: str, data: Any = None, address: str = ADDRESS) -> Any:
    reply = sim.ask(address, f"headgate.schedule.{verb}", data)
    assert reply is not None
    return reply.answer.refused or json.loads(reply.answer.data)


def asked(sim: HeadgateSim) -> list[datetime]:
    return [datetime.fromisoformat(each) for each in sim.state("report/all").asked]


def state(sim: HeadgateSim) -> Schedule:
    found: Schedule = sim.state(ADDRESS)
    return found


def test_each_day_it_is_sent_once_through_crashes(sim: HeadgateSim) -> None:
    # The world begins on 14 November 2023, 22:13 UTC.
    assert tell(sim, "set", MORNING)["due"] == "2023-11-15T08:00:00+00:00"
    for day in range(5):
        sim.advance(timedelta(days=1))
        sim.crash(back=day % 3)
    sim.advance(timedelta(hours=1))
    times = asked(sim)
    assert [each.isoformat() for each in times[:2]] == [
        "2023-11-15T08:00:00+00:00",
        "2023-11-16T08:00:00+00:00",
    ]
    assert times == sorted(set(times))
    assert len(times) == state(sim).fired == 5


def away(sim: HeadgateSim, days: int) -> None:
    """Let nothing run for days: an operator has parked the instance."""
    sim.control(ADDRESS, "park")
    sim.advance(timedelta(days=days))
    sim.control(ADDRESS, "resume")
    sim.advance(1)


@pytest.mark.parametrize(
    ("catch_up", "sent", "missed"), [("one", 1, 9), ("all", 10, 0), ("none", 0, 10)]
)
def test_what_was_missed_is_made_up_for_as_it_was_asked(
    sim: HeadgateSim, catch_up: str, sent: int, missed: int
) -> None:
    tell(sim, "set", {**MORNING, "catch_up": catch_up})
    away(sim, days=10)
    times = asked(sim)
    assert (len(times), state(sim).missed) == (sent, missed)
    if sent:
        assert times[-1].isoformat() == "2023-11-24T08:00:00+00:00", "the last of them"
    sim.advance(timedelta(days=1))
    assert len(asked(sim)) == sent + 1


@pytest.mark.parametrize(("catch_up", "sent"), [("one", 1), ("all", 600)])
def test_many_are_made_up_for_turn_by_turn(sim: HeadgateSim, catch_up: str, sent: int) -> None:
    every = {"every_ms": 60_000, "address": "report/all", "type": "due", "catch_up": catch_up}
    tell(sim, "set", every)
    sim.control(ADDRESS, "park")
    sim.advance(600 * 60 + 1)
    sim.control(ADDRESS, "resume")
    sim.advance(5)
    times = asked(sim)
    assert len(times) == sent
    assert times == sorted(set(times))


def test_one_that_rests_misses_nothing(sim: HeadgateSim) -> None:
    tell(sim, "set", MORNING)
    assert tell(sim, "pause") == {"due": "", "paused": True, "fired": 0, "last": ""}
    sim.advance(timedelta(days=3))
    assert tell(sim, "resume")["due"] == "2023-11-18T08:00:00+00:00"
    sim.advance(timedelta(days=1))
    assert (len(asked(sim)), state(sim).missed) == (1, 0)


def test_it_is_sent_when_somebody_says_so(sim: HeadgateSim) -> None:
    due = tell(sim, "set", MORNING)["due"]
    told = tell(sim, "trigger")
    assert (told["due"], told["fired"], len(asked(sim))) == (due, 1, 1)


def test_one_that_is_taken_away_is_silent(sim: HeadgateSim) -> None:
    tell(sim, "set", MORNING)
    tell(sim, "delete")
    sim.advance(timedelta(days=3))
    assert asked(sim) == []
    assert tell(sim, "trigger") == "there is no such schedule"
    assert tell(sim, "set", MORNING)["due"]


def test_another_time_replaces_the_one_before(sim: HeadgateSim) -> None:
    tell(sim, "set", MORNING)
    tell(sim, "set", {"cron": "0 12 * * *", "zone": "UTC"})
    sim.advance(timedelta(days=1))
    assert [each.hour for each in asked(sim)] == [12]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**MORNING, "cron": "never"}, "is no cron expression"),
        ({**MORNING, "zone": "Nowhere"}, "is no time zone"),
        ({**MORNING, "address": "report"}, "needs `address`"),
        ({**MORNING, "catch_up": "some"}, "one of one, all, none"),
        ({**MORNING, "cron": "0 0 30 2 *"}, "never due again|no cron expression"),
        (None, "needs `address`"),
        ({**MORNING, "zone": 7}, "are strings"),
        ({**MORNING, "every_ms": 10**18, "cron": ""}, "at most"),
    ],
)
def test_what_is_no_schedule_is_refused_and_changes_nothing(
    sim: HeadgateSim, given: Any, said: str
) -> None:
    import re

    for times in (0, 1):
        if times:
            tell(sim, "set", MORNING)
        refused = tell(sim, "set", given)
        if given is None and times:
            assert refused["due"], "nothing is changed, nothing is wrong"
        else:
            assert re.search(said, refused), refused
        sim.advance(timedelta(days=1))
        assert len(asked(sim)) == times
