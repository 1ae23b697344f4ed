"""What has become of the transactions that a checkpoint has prepared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from headgate.bootstrap import Bootstrap
from headgate.kafka.transactions import (
    COMMITTED,
    ONGOING,
    Transaction,
    bumps_epochs,
    describe,
)
from headgate.repair.checkpoint import Prepared

Fate = Literal["open", "committed", "ended"]


@dataclass(frozen=True, slots=True)
class Fates:
    """Transactions of a checkpoint: restoring it commits those that are `open`; `committed` are
    certainly visible; of those that have `ended` nobody knows whether they were.
    """

    open: tuple[Prepared, ...]
    committed: tuple[Prepared, ...]
    ended: tuple[Prepared, ...]


def fates(bootstrap: Bootstrap, prepared: Iterable[Prepared]) -> Fates:
    """Ask the broker what has become of these transactions."""
    wanted = list(prepared)
    if not wanted:
        return Fates((), (), ())
    known = describe(bootstrap, [each.transactional_id for each in wanted])
    # The epoch that a committed transaction has left: nothing else can have made this one.
    step = 1 if bumps_epochs(bootstrap) else 0
    sorted_out: dict[Fate, list[Prepared]] = {"open": [], "committed": [], "ended": []}
    for each in wanted:
        sorted_out[fate_of(each, known.get(each.transactional_id), step=step)].append(each)
    return Fates(*(tuple(sorted_out[fate]) for fate in ("open", "committed", "ended")))


def is_same(prepared: Prepared, now: Transaction) -> bool:
    """Tell whether the newest transaction of an id is the prepared one, and still open."""
    return now.state == ONGOING and (now.producer_id, now.epoch) == (
        prepared.producer_id,
        prepared.epoch,
    )


def fate_of(prepared: Prepared, now: Transaction | None, *, step: int) -> Fate:
    """Judge by the newest transaction of the id, None if the broker knows none.

    step: how many epochs further on a commit leaves an id.
    """
    if now is None:
        return "ended"
    if is_same(prepared, now):
        return "open"
    is_its_end = (now.producer_id, now.epoch) == (prepared.producer_id, prepared.epoch + step)
    return "committed" if now.state == COMMITTED and is_its_end else "ended"
