"""The agent that keeps schedules: one instance for each, whose timer is the next time it is due.

It is an agent like any other, so a schedule has what its instances have: its state survives all
crashes, each occurrence is one turn, and what it sends is sent once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from headgate.core.identity import split_address
from headgate.schedules.times import MOST, TimesError, occurrences
from headgate.sdk import Agent, Event, Refusal, Turn

NAME = "schedule"
SET, PAUSE, RESUME, DELETE, TRIGGER = (
    f"headgate.schedule.{verb}" for verb in ("set", "pause", "resume", "delete", "trigger")
)
DUE = "due"

LATE = timedelta(minutes=1)
"""An occurrence is missed if it is later than this. Timers may be late by a failover; whoever wants
none of what was missed wants that one all the same."""

AT_ONCE = 100
"""Occurrences that one turn makes up for. What is left follows at once, turn by turn."""

CATCH_UP = ("one", "all", "none")

SETTABLE = frozenset(("cron", "every_ms", "zone", "address", "type", "data", "catch_up"))


@dataclass
class Schedule:
    """A schedule's state. ``due`` is its next time, ISO 8601; empty: it is not running."""

    cron: str = ""
    every_ms: int = 0
    zone: str = ""
    address: str = ""
    type: str = ""
    data: Any = None
    catch_up: str = "one"
    paused: bool = False
    due: str = ""
    fired: int = 0
    missed: int = 0
    last: str = ""


def make_scheduler() -> Agent[Schedule]:
    """Make the agent; `headgate schedules serve` serves it."""
    agent = Agent(NAME, Schedule, summary="Sends messages at the times of cron expressions")

    @agent.on(SET)
    def be_set(turn: Turn[Schedule], event: Event) -> Any:
        given = event.data if isinstance(event.data, dict) else {}
        before = turn.state
        turn.state = replace(before, **{field: given[field] for field in SETTABLE & given.keys()})
        said = refusal_of(turn.state) or go_on(turn)
        if isinstance(said, Refusal):
            turn.state = before
        return said

    @agent.on(PAUSE)
    def pause(turn: Turn[Schedule], event: Event) -> Any:
        turn.state.paused = True
        stop(turn)
        return told(turn.state)

    @agent.on(RESUME)
    def resume(turn: Turn[Schedule], event: Event) -> Any:
        # What would have been due meanwhile was not wanted, and is not missed.
        turn.state.paused = False
        return go_on(turn) if turn.state.address else Refusal("there is no such schedule")

    @agent.on(DELETE)
    def delete(turn: Turn[Schedule], event: Event) -> Any:
        stop(turn)
        turn.state = Schedule()
        return told(turn.state)

    @agent.on(TRIGGER)
    def trigger(turn: Turn[Schedule], event: Event) -> Any:
        if not turn.state.address:
            return Refusal("there is no such schedule")
        fire(turn, turn.now)
        return told(turn.state)

    @agent.on_timer(DUE)
    def be_due(turn: Turn[Schedule], event: Event) -> None:
        state = turn.state
        if not state.due or state.paused:
            return
        due = datetime.fromisoformat(state.due)
        late, following = missed(due, times(state, due), turn.now)
        match state.catch_up:
            case "all":
                wanted = late
            case "none":
                wanted = [each for each in late if turn.now - each <= LATE]
            case _:
                # If more are to be made up for, the last of them is in a turn to come.
                is_last = following is None or following > turn.now
                wanted = late[-1:] if is_last else []
        for each in wanted:
            fire(turn, each)
        state.missed += len(late) - len(wanted)
        state.due = following.isoformat() if following else ""
        if following:
            turn.set_timer(DUE, following)

    return agent


def refusal_of(state: Schedule) -> Refusal | None:
    """Return what is wrong with a schedule apart from its times."""
    texts = (state.cron, state.zone, state.address, state.type)
    if not all(isinstance(each, str) for each in texts) or not isinstance(state.every_ms, int):
        return Refusal("cron, zone, address and type are strings, every_ms is a number")
    if not all(split_address(state.address)) or not state.type:
        return Refusal("a schedule needs `address`, such as report/daily, and `type`")
    if state.catch_up not in CATCH_UP:
        return Refusal(f"catch_up is {state.catch_up!r}; one of {', '.join(CATCH_UP)}")
    return None


def go_on(turn: Turn[Schedule]) -> Any:
    """Wait for the next time from now on; a refusal if there is none."""
    state = turn.state
    try:
        following = next(times(state, turn.now))
    except TimesError as error:
        return Refusal(str(error))
    except StopIteration:
        return Refusal(f"{state.cron!r} is never due again")
    if not state.paused:
        state.due = following.isoformat()
        turn.set_timer(DUE, following)
    return told(state)


def stop(turn: Turn[Schedule]) -> None:
    """Wait for nothing."""
    turn.cancel_timer(DUE)
    turn.state.due = ""


def times(state: Schedule, after: datetime) -> Iterator[datetime]:
    """Return a schedule's times after a moment."""
    # What is longer than any period is refused as one, not as a number that timedelta has none for.
    ms = min(state.every_ms, 10 * MOST // timedelta(milliseconds=1))
    every = timedelta(milliseconds=ms) if ms else None
    return occurrences(after, cron=state.cron, every=every, zone=state.zone)


def missed(
    due: datetime, later: Iterator[datetime], now: datetime
) -> tuple[list[datetime], datetime | None]:
    """Return the times that have come by now, no more than a turn makes up for, and the next; None
    if there is none.
    """
    found = [due]
    for each in later:
        if each > now or len(found) == AT_ONCE:
            return found, each
        found.append(each)
    return found, None


def fire(turn: Turn[Schedule], due: datetime) -> None:
    """Send what is due; the receiver is told by whom and for when."""
    state = turn.state
    extensions = {"schedule": turn.key[:1_000], "dueat": due.isoformat()}
    turn.send(state.address, state.type, state.data, extensions=extensions)
    state.fired += 1
    state.last = due.isoformat()


def told(state: Schedule) -> dict[str, Any]:
    """Return what whoever asked is told."""
    return {"due": state.due, "paused": state.paused, "fired": state.fired, "last": state.last}
