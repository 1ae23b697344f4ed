"""Which moments a store can answer for: closed, and not removed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from headgate.core.render import rfc3339
from headgate.history import schema
from headgate.history.errors import MomentError, NeverSeenError, NotClosedError, RemovedError
from headgate.history.standing import OPEN
from headgate.v1.history_pb2 import Moment


def closed_until(reading: Connection) -> int:
    """Return the newest moment that is closed everywhere, 0 if none is."""
    table = schema.positions
    return int(reading.scalar(select(func.min(table.c.closed_us))) or 0)


def horizon_of(reading: Connection) -> int:
    """Return the moment before which something is not kept, 0 if all is."""
    settings, positions = schema.settings, schema.positions
    kept = reading.scalar(select(settings.c.value).where(settings.c.name == "horizon_us"))
    begun = reading.scalar(select(func.max(positions.c.begin_us)))
    return max(int(kept or 0), begun or 0, 0)


def closed(reading: Connection, at_us: int) -> int:
    """Return a moment that is closed everywhere: the given one, or for 0 the newest.

    Raises:
        NotClosedError, RemovedError.
    """
    until = closed_until(reading)
    check_horizon(reading, at_us or until)
    if at_us > until or not until:
        raise NotClosedError(_not_closed(at_us, until))
    return at_us or until


def resolved(reading: Connection, instance: Any, moment: Moment) -> int:
    """Return the time that a moment means for one instance; all that has come, for none."""
    if moment.turn:
        table = schema.turns
        at_us = reading.scalar(
            select(table.c.at_us).where(
                table.c.instance_id == instance.id, table.c.turn == moment.turn
            )
        )
        if at_us is None:
            message = (
                f"{instance.address} has no turn {moment.turn} yet: its last is {instance.turn}"
                if moment.turn > instance.turn
                else f"turn {moment.turn} of {instance.address} is not kept here"
            )
            raise NeverSeenError(message)
        return int(at_us)
    if not moment.at_us:
        return OPEN - 1
    if moment.at_us < 0:
        message = "a moment is after 1970"
        raise MomentError(message)
    check_horizon(reading, moment.at_us)
    table = schema.positions
    # Its own partition is enough: no other one holds turns of it.
    until = reading.scalar(select(table.c.closed_us).where(table.c.partition == instance.partition))
    if moment.at_us > (until or 0):
        raise NotClosedError(_not_closed(moment.at_us, until or 0))
    return moment.at_us


def check_horizon(reading: Connection, at_us: int) -> None:
    """Refuse a moment that something is not kept of any more; raises RemovedError."""
    horizon = horizon_of(reading)
    if at_us < horizon:
        message = (
            f"what was before {rfc3339(horizon)} is not kept here (history.keep, or the topic had "
            "no more when the store was made); ask for a later moment"
        )
        raise RemovedError(message)


def _not_closed(at_us: int, until: int) -> str:
    if not until:
        return "no moment is closed yet: the store has read nothing that says so"
    return (
        f"{rfc3339(at_us)} is not closed yet: turns until {rfc3339(until)} are known to be all. "
        "Wait for it (--wait; Prefer: wait=10), or ask for an earlier moment"
    )
