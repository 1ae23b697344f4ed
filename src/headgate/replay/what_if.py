"""Replaying turns of many instances: instances side by side, the turns of each in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from headgate.replay.player import Player, Way, arun
from headgate.replay.recorded import LeftOut, RecordedTurn
from headgate.replay.report import InstanceReport, Report
from headgate.sdk.testing import Stored
from headgate.v1.turn_pb2 import Call, Outcome

AT_ONCE = 16
"""Instances whose turns are under way at the same time. The service may be serving others too."""

_MADE = Stored()
"""Stands for a state that the turn before makes."""

Turn = RecordedTurn | LeftOut
Ask = Callable[[Call], Awaitable[Outcome]]


async def what_if(
    turns: Iterable[Turn],
    ask: Ask,
    way: Way,
    *,
    carries: bool,
    ignored: Collection[str] = (),
    at_once: int = AT_ONCE,
    told: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Put turns to a service and return what differs.

    turns: of one instance after the other, each in order; read in a thread, for reading waits.
    carries: go on from the state that the answers make; else each turn has the recorded one.
    told: called after each turn, with the report so far.

    Raises:
        ServiceAwayError: the service went away; what reading raises.
    """
    report = Report()
    instances = _by_instance(turns)
    reading = asyncio.Lock()

    async def next_instance() -> tuple[str, list[Turn]] | None:
        async with reading:
            return await asyncio.to_thread(next, instances, None)

    async def work() -> None:
        while (given := await next_instance()) is not None:
            address, its_turns = given
            instance = InstanceReport(address)
            report.instances.append(instance)
            player = Player(way, carries=carries, ignored=ignored)
            for turn in _whole(its_turns):
                if isinstance(turn, LeftOut):
                    report.take(instance, turn)
                else:
                    report.take(instance, await arun(player.play(turn), ask))
                told(report)
            report.done += 1
            told(report)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup as errors:
        # One speaks for all: where a service is away, it is for every instance.
        raise errors.exceptions[0] from None
    report.instances.sort(key=lambda each: each.address)
    return report


def _by_instance(turns: Iterable[Turn]) -> Iterator[tuple[str, list[Turn]]]:
    for address, its_turns in groupby(turns, key=lambda turn: turn.address):
        yield address, list(_slim(its_turns))


def _slim(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Take the states away that the turns before them make: of a list that grows with each of an
    instance's 100,000 turns, they would hold all lengths at once.
    """
    base = b""
    for turn in turns:
        if isinstance(turn, LeftOut):
            yield turn
            continue
        yield replace(turn, before=_MADE) if turn.outcome.base == base else turn
        base = turn.record.base_after


def _whole(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Give the states back."""
    made = Stored()
    for turn in turns:
        if isinstance(turn, LeftOut):
            yield turn
            continue
        whole = replace(turn, before=made) if turn.before is _MADE else turn
        made = whole.after()
        yield whole
