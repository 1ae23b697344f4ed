"""Replaying one instance's turns: what to ask next. Asking itself is the driver's affair.

Rules:
- A request is that of the recorded turn: its events, ids, base, number, attempt, idempotency key
  and time. Its state is the recorded one, or (``carries``) what the answers have made so far.
- The answer is held to the contract by who asks, with the same code as in the job
  (`headgate.core.outcome`).
- Each event is put once: one that fails is given up, and the rest of its turn goes on. Nothing
  waits for another attempt.
- What nobody was asked in the past (an operator's reset) happens again as it was.
- Where turns are missing, its own state is the recorded one again: what they would have made of it
  nobody can know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Generator
from dataclasses import dataclass
from typing import TypeVar

from headgate.core import trace
from headgate.core.dispatch import DEFAULT_LOG_WINDOW
from headgate.core.identity import digest, idempotency_key
from headgate.replay.came import Came, came_of
from headgate.replay.compare import Difference, compare
from headgate.replay.recorded import FORGETTING, RecordedTurn, size_of, state_of
from headgate.sdk.testing import Stored
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import Call, Outcome, Policy

T = TypeVar("T")
Playing = Generator[Call, Outcome, T]


@dataclass(frozen=True, slots=True)
class Way:
    """How calls are made: by which policy, to which endpoint, and by a serialized Service where
    there is more to know than the endpoint.
    """

    policy: Policy
    endpoint: str = "simulated"
    service: bytes = b""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A turn that was replayed: what it came to, and what differs. ``is_fresh``: the state before
    it was taken from the record although the instance's own was asked for.
    """

    turn: RecordedTurn
    came: Came
    differences: tuple[Difference, ...]
    is_fresh: bool = False


class Player:
    """Replays turns of one instance, in their order."""

    def __init__(self, way: Way, *, carries: bool, ignored: Collection[str] = ()) -> None:
        """carries: go on from the state that the answers make, not from the recorded one."""
        self._way = way
        self._carries = carries
        self._ignored = ignored
        self._own: Stored | None = None
        self._base = b""
        self._is_fresh = False

    def play(self, turn: RecordedTurn) -> Playing[Replayed | None]:
        """Yield calls, take their outcomes; return what came of it, None if nobody is asked."""
        before = turn.before
        if self._carries and self._own is not None:
            if turn.outcome.base == self._base:
                before = self._own
            else:
                self._is_fresh = True
        self._base = turn.record.base_after
        if not turn.is_put:
            self._own = Stored() if turn.outcome.controlled.verb in FORGETTING else before
            return None
        came = yield from self._put(turn, before)
        self._own = came.stored
        differences = compare(came_of(turn), came, key=turn.outcome.key, ignored=self._ignored)
        is_fresh, self._is_fresh = self._is_fresh, False
        return Replayed(turn, came, tuple(differences), is_fresh)

    def _put(self, turn: RecordedTurn, before: Stored) -> Playing[Came]:
        came = Came(before)
        first, most, whole = 0, len(turn.events), False
        while first < len(turn.events):
            events = turn.events[first : first + most]
            outcome = yield self._call(turn, events, came.stored, whole)
            came.add(outcome, first=first)
            failed = outcome.failed
            if not outcome.HasField("failed"):
                first += len(events)
                continue
            first += len(outcome.taken) - failed.HasField("dead_letter")
            if failed.wants_whole_lists:
                whole = True
            elif failed.names_event:
                came.fail(failed, turn.events[first].id)
                first += 1
            else:
                # It cannot tell which: one by one, as the job does.
                most = 1
        return came

    def _call(
        self, turn: RecordedTurn, events: Collection[Event], stored: Stored, whole: bool
    ) -> Call:
        way, outcome = self._way, turn.outcome
        call = Call(policy=way.policy, endpoint=way.endpoint, service=way.service)
        call.whole_lists = whole
        call.state_bytes = size_of(stored)
        fingerprints = [event.fingerprint for event in events]
        request = call.request
        request.agent_type, request.key = outcome.agent_type, outcome.key
        request.base, request.turn, request.attempt = outcome.base, outcome.turn, outcome.attempt
        request.events.extend(events)
        window = 0 if whole else way.policy.log_window or DEFAULT_LOG_WINDOW
        if stored.values or stored.logs:
            request.state.CopyFrom(state_of(stored, window=window))
        request.idempotency_key = idempotency_key(
            turn.address, outcome.base, outcome.attempt, fingerprints
        )
        # Calls of all turns share one connection: a part of a turn is another call than the whole.
        request.request_id = digest("replay", request.idempotency_key, whole)
        request.deadline_ms = way.policy.deadline_ms
        # In the turn's trace, but not recorded: what is played again must not be told twice.
        request.traceparent = trace.unsampled(outcome.traceparent)
        request.tracestate = outcome.tracestate
        # Outcomes of versions that did not keep it have the call's time, a little later.
        request.asked_us = outcome.asked_us or outcome.called_us
        return call


def run(playing: Playing[T], ask: Callable[[Call], Outcome]) -> T:
    """Play with whoever answers at once."""
    try:
        call = next(playing)
        while True:
            call = playing.send(ask(call))
    except StopIteration as done:
        found: T = done.value
        return found


async def arun(playing: Playing[T], ask: Callable[[Call], Awaitable[Outcome]]) -> T:
    """Play with whoever takes time to answer."""
    try:
        call = next(playing)
        while True:
            call = playing.send(await ask(call))
    except StopIteration as done:
        found: T = done.value
        return found
