"""The state that a history tells: its mutations, folded, with resets."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.sdk.testing import Stored
from headgate.v1.turn_pb2 import Controlled, HistoryRecord

_FORGETTING = frozenset((Controlled.RESET, Controlled.EXPIRE))


def stored_of(history: Iterable[HistoryRecord]) -> Stored:
    """Return what is stored of an instance after its turns, given in any order.

    >>> stored_of([]).values
    {}
    """
    stored = Stored()
    for record in sorted(history, key=lambda each: each.outcome.turn):
        outcome = record.outcome
        stored = stored.apply(outcome.mutations)
        if outcome.controlled.verb in _FORGETTING:
            stored = Stored()
    return stored
