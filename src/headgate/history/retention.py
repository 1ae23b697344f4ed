"""Removing what is older than the store is to keep."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from sqlalchemy import Engine, delete, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from headgate.history import schema
from headgate.history.moments import closed_until

log = logging.getLogger(__name__)

PAUSE_SECONDS = 600.0
"""A tenth of an hour late is nothing to a policy of days."""

_MICROSECOND = timedelta(microseconds=1)


def remove_before(engine: Engine, horizon_us: int) -> int:
    """Remove what no moment from ``horizon_us`` on needs; return how many rows that were.

    What was at that moment, and whatever stands now, is kept however old it is.
    """
    turns, cells, gone, messages = (
        schema.turns, schema.cells, schema.deletions, schema.messages,
    )  # fmt: skip
    same = turns.alias()
    last = (
        select(func.max(same.c.turn))
        .where(same.c.instance_id == turns.c.instance_id, same.c.at_us <= horizon_us)
        .scalar_subquery()
    )
    removed = 0
    with engine.begin() as writing:
        # First: a reader that sees the rest gone sees this as well.
        table = schema.settings
        writing.execute(
            table.update().where(table.c.name == "horizon_us").values(value=str(horizon_us))
        )
        instances = schema.instances
        thinned = or_(
            instances.c.id.in_(select(cells.c.instance_id).where(cells.c.to_us <= horizon_us)),
            instances.c.id.in_(select(gone.c.instance_id).where(gone.c.at_us < horizon_us)),
        )
        writing.execute(instances.update().where(thinned).values(is_thinned=True))
        for statement in (
            delete(cells).where(cells.c.to_us <= horizon_us),
            # But not the last one before it: the next tells nothing of what was until then.
            delete(turns).where(turns.c.at_us < horizon_us, turns.c.turn < last),
            delete(gone).where(gone.c.at_us < horizon_us),
            # Taken before it was read that it was sent: its other half is yet to come.
            delete(messages).where(messages.c.sent_us > 0, messages.c.taken_us < horizon_us),
        ):
            removed += writing.execute(statement).rowcount
    return removed


class Retention:
    """Removes what is older than ``keep``, again and again, in a thread of its own."""

    def __init__(self, engine: Engine, keep: timedelta) -> None:
        self._engine = engine
        self._keep = keep
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="headgate-retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            horizon_us = time.time_ns() // 1000 - self._keep // _MICROSECOND
            try:
                with self._engine.connect() as reading:
                    # Never ahead of what has been read: half of a message may be yet to come.
                    horizon_us = min(horizon_us, closed_until(reading))
                if horizon_us > 0:
                    remove_before(self._engine, horizon_us)
            except SQLAlchemyError:
                log.warning("old history could not be removed; it is tried again", exc_info=True)
            self._stopping.wait(PAUSE_SECONDS)
