"""Activities: done once in a turn, side by side, and tried again after a pause that is a timer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from headgate.core.own_types import TIMER
from headgate.sdk.codec import from_json
from headgate.sdk.errors import RetryableError, TerminalError
from headgate.sdk.event import Event
from headgate.sdk.turn import Turn, to_json
from headgate.sdk.workflow.execution import Execution, Pending, Step
from headgate.sdk.workflow.progress import Progress

LONGEST_PAUSE = timedelta(minutes=5)
"""Between two attempts of an activity. What has been away for long is found again within it."""


def wake(run: Execution, turn: Turn[Progress], event: Event) -> None:
    """Note that the pause of an activity is over: a negative number of attempts says so."""
    if event.type == TIMER:
        attempts = turn.state.attempts
        name = str(run.number_of_timer(event.subject))
        if attempts.get(name, 0) > 0:
            attempts[name] *= -1


def due(run: Execution, turn: Turn[Progress]) -> list[int]:
    """Return the activities that were not tried yet, and those whose pause is over."""
    attempts = turn.state.attempts
    waiting = [number for number, each in run.pending.items() if each.kind == "activity"]
    return [number for number in waiting if attempts.get(str(number), 0) <= 0]


async def work(turn: Turn[Progress], run: Execution, numbers: list[int]) -> list[Step | None]:
    """Do activities side by side; None for one that will be tried again."""
    return await asyncio.gather(*(_attempt(turn, run, n, run.pending[n]) for n in numbers))


def plain(value: Any) -> Any:
    """Return a value as it would be read from a step: so code sees the same at each run."""
    return from_json(to_json(value).encode())


async def _attempt(
    turn: Turn[Progress], run: Execution, number: int, activity: Pending
) -> Step | None:
    attempts = turn.state.attempts
    made = abs(attempts.get(str(number), 0)) + 1
    try:
        result = plain(await _called(activity))
    except Exception as error:
        if made < activity.attempts and not isinstance(error, TerminalError):
            attempts[str(number)] = made
            pause = min(activity.backoff * 2 ** min(made - 1, 20), LONGEST_PAUSE)
            if isinstance(error, RetryableError) and error.after is not None:
                pause = error.after
            turn.set_timer(run.timer_name(number), pause)
            return None
        attempts.pop(str(number), None)
        return {"n": number, "k": activity.label, "e": f"{type(error).__name__}: {error}"}
    attempts.pop(str(number), None)
    return {"n": number, "k": activity.label, "r": result}


async def _called(activity: Pending) -> Any:
    work = activity.work
    if work is None:
        return None
    return await work() if activity.is_async else await asyncio.to_thread(work)
