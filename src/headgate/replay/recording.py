"""Recording turns: what the history has of them, the state before each, and what their events held.

Rules:
- State comes from the history store once for each instance, and is folded on from turn to turn.
- What cannot be known is not made up: a turn whose events, or whose state before it, are gone is
  left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headgate.history.errors import NeverSeenError, NotClosedError
from headgate.replay.events import (
    Place,
    fault_of,
    place_of,
    timer_event,
    turn_of_timer,
)
from headgate.replay.recorded import (
    FORGETTING,
    LeftOut,
    RecordedTurn,
    after,
    is_put,
    stored_in,
)
from headgate.sdk.testing import Stored
from headgate.v1.agent_pb2 import Event
from headgate.v1.history_pb2 import StateAsOf, TurnAsOf
from headgate.v1.turn_pb2 import EventRef, HistoryRecord

AT_ONCE = 500
"""Turns whose events are read together: neighbours in a topic cost one read."""


class Past(Protocol):
    """The history's answers; `headgate.history.client.HistoryClient` is one."""

    def state(self, address: str, *, at_us: int = 0, turn: int = 0) -> StateAsOf:
        """Return the state at a moment or after a turn."""

    def turns(self, address: str, *, first: int = 0, last: int = 0) -> list[TurnAsOf]:
        """Return turns, oldest first."""


class Records(Protocol):
    """What events held; `headgate.replay.payloads.Payloads` is one."""

    def read(self, places: Iterable[Place]) -> Mapping[Place, Event | str]:
        """Return the event at each place, or why there is none."""


@dataclass(frozen=True, slots=True)
class Span:
    """Turns dated from a moment to a moment, both included, microseconds; 0 is no bound."""

    from_us: int = 0
    to_us: int = 0


@dataclass(slots=True)
class _Draft:
    """A turn whose events are not read yet. ``before`` is None where it is not known."""

    address: str
    record: HistoryRecord
    before: Stored | None
    why: str


def record(
    past: Past, records: Records, addresses: Iterable[str], span: Span
) -> Iterator[RecordedTurn | LeftOut]:
    """Yield the turns of instances, one instance after the other, each in order.

    Raises:
        NeverSeenError: an instance has taken no turn.
        NotClosedError: the span begins later than is known, or earlier than is kept.
    """
    waiting: list[_Draft] = []
    for address in addresses:
        # One by one: each holds the state before it.
        for draft in _drafts(past, address, span):
            waiting.append(draft)
            if len(waiting) == AT_ONCE:
                yield from _filled(past, records, waiting)
                waiting = []
    if waiting:
        yield from _filled(past, records, waiting)


def _drafts(past: Past, address: str, span: Span) -> Iterator[_Draft]:
    stored: Stored | None = Stored()
    last, why = 0, ""
    if span.from_us > 1:
        found = past.state(address, at_us=span.from_us - 1)
        last, stored, why = found.turn, *_known(found)
    for told in past.turns(address, first=last + 1):
        turn = told.record
        outcome = turn.outcome
        if turn.at_us < span.from_us:
            continue
        if span.to_us and turn.at_us > span.to_us:
            return
        if outcome.turn != last + 1:
            stored, why = _before(past, address, outcome.turn)
        yield _Draft(address, turn, stored, why)
        last = outcome.turn
        if outcome.controlled.verb in FORGETTING:
            # Whatever was missing is gone now.
            stored, why = Stored(), ""
        elif stored is not None:
            stored = after(stored, outcome)


def _before(past: Past, address: str, turn: int) -> tuple[Stored | None, str]:
    try:
        return _known(past.state(address, turn=turn - 1))
    except (NeverSeenError, NotClosedError) as error:
        return None, f"the state before it is not known: {error}"


def _known(found: StateAsOf) -> tuple[Stored | None, str]:
    if found.is_incomplete:
        return None, "the state before it is not known: the history lacks earlier turns of it"
    return stored_in(found.state), ""


def _filled(
    past: Past, records: Records, drafts: Sequence[_Draft]
) -> Iterator[RecordedTurn | LeftOut]:
    wanted = [ref for draft in drafts if _wants(draft) for ref in draft.record.outcome.taken]
    found = records.read(place for ref in wanted if (place := place_of(ref)) is not None)
    settings = {(each.address, each.record.outcome.turn): each.record for each in drafts}
    for draft in drafts:
        outcome = draft.record.outcome
        if draft.before is None:
            yield LeftOut(draft.address, outcome.turn, draft.why)
            continue
        events: list[Event] = []
        why = ""
        for ref in outcome.taken if _wants(draft) else ():
            event = _event(past, ref, draft.address, found, settings)
            if isinstance(event, str):
                why = event
                break
            events.append(event)
        if why:
            yield LeftOut(draft.address, outcome.turn, why)
        else:
            yield RecordedTurn(draft.before, tuple(events), draft.record)


def _wants(draft: _Draft) -> bool:
    return draft.before is not None and is_put(draft.record.outcome)


def _event(
    past: Past,
    ref: EventRef,
    address: str,
    found: Mapping[Place, Event | str],
    settings: Mapping[tuple[str, int], HistoryRecord],
) -> Event | str:
    place = place_of(ref)
    if place is not None:
        event = found[place]
        where = f"event {ref.id!r} of {place} cannot be read"
    else:
        event = _timer(past, ref, address, settings)
        where = f"timer event {ref.id!r} cannot be made again"
    fault = event if isinstance(event, str) else fault_of(ref, event)
    return f"{where}: {fault}" if fault else event


def _timer(
    past: Past, ref: EventRef, address: str, settings: Mapping[tuple[str, int], HistoryRecord]
) -> Event | str:
    turn = turn_of_timer(ref)
    setting = settings.get((address, turn))
    if setting is None and turn:
        told = past.turns(address, first=turn, last=turn)
        setting = told[0].record if told else None
    event = None if setting is None else timer_event(ref, setting, address)
    return f"turn {turn}, which set it, is not kept" if event is None else event
