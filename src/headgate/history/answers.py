"""Answers to questions, by whichever wire they come: waits where it was asked to wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from headgate.history.conditions import read_test
from headgate.history.errors import MomentError, NeverSeenError, NotClosedError
from headgate.history.follow import Follower
from headgate.history.reading import Reader
from headgate.v1.history_pb2 import (
    Condition,
    HistoryPosition,
    InFlightMessage,
    Moment,
    StateAsOf,
    TurnAsOf,
)

T = TypeVar("T")

MOST_SECONDS = 300.0
"""Of one wait: proxies cut connections that are silent for longer. Who asks again waits on."""

LOOK_SECONDS = 0.5
"""Between two looks at the store, where nothing tells that it has gone on."""


class Answers:
    """The store's reader, and the follower that brings what is waited for."""

    def __init__(self, reader: Reader, follower: Follower) -> None:
        self._reader = reader
        self._follower = follower

    def position(self) -> HistoryPosition:
        """Return how far the store is, and how far the topic."""
        found = self._reader.position()
        ends = self._follower.ends()
        for each in found.partitions:
            each.end_offset = max(ends.get(each.partition, 0), each.next_offset)
        return found

    @property
    def problem(self) -> str:
        """Why the store does not go on; "" if it does."""
        return str(self._follower.failure or self._follower.waits_for)

    def state(self, address: str, moment: Moment) -> StateAsOf:
        """See `Reader.state`; waits for its moment to be closed, or for its turn to come."""
        return self._within(moment.wait_ms, lambda: self._reader.state(address, moment))

    def turns(
        self, address: str, *, first: int = 0, last: int = 0, newest: int = 0
    ) -> list[TurnAsOf]:
        """See `Reader.turns`."""
        return self._reader.turns(address, first=first, last=last, newest=newest)

    def snapshot(
        self,
        moment: Moment,
        *,
        agent_type: str = "",
        where: Sequence[Condition] = (),
        only: Sequence[str] = (),
    ) -> Iterator[StateAsOf]:
        """See `Reader.snapshot`; waits for its moment to be closed."""
        at_us, tests = self._closed(moment), [read_test(each.path, each.equals) for each in where]
        return self._reader.snapshot(at_us, agent_type=agent_type, where=tests, only=only)

    def in_flight(self, moment: Moment) -> Iterator[InFlightMessage]:
        """See `Reader.in_flight`; waits for its moment to be closed."""
        return self._reader.in_flight(self._closed(moment))

    def _closed(self, moment: Moment) -> int:
        if moment.turn or moment.valid_us:
            message = "of all instances, only a time can be asked for: turns are each one's own"
            raise MomentError(message)
        return self._within(moment.wait_ms, lambda: self._reader.closed_at(moment.at_us))

    def _within(self, wait_ms: int, answer: Callable[[], T]) -> T:
        deadline = time.monotonic() + min(max(wait_ms, 0) / 1000, MOST_SECONDS)
        while True:
            try:
                return answer()
            except (NotClosedError, NeverSeenError):
                rest = deadline - time.monotonic()
                if rest <= 0:
                    raise
            with self._follower.moved:
                self._follower.moved.wait(min(rest, LOOK_SECONDS))
