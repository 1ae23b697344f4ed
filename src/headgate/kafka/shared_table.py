"""One RegistryTable per process and topic, for all that follow it there.

Intake decides by it who gets an event, and Gate how that agent is called. Where both run in one
process they see the same at the same moment, and the broker has one reader less for each.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from headgate.bootstrap import Bootstrap
from headgate.kafka.hush import hush
from headgate.kafka.table import RegistryTable


@dataclass(slots=True)
class _Lent:
    table: RegistryTable
    users: int = 0


# Modules outlive a job in a TaskManager. What a job lent it gives back, so that the next one begins
# with a table of its own, which has read what was written before that job started.
_lent: dict[tuple[Bootstrap, str], _Lent] = {}
_lock = threading.Lock()


class SharedTable:
    """A share in the table of a topic; `close` it. The last one to go ends the table.

    >>> share = SharedTable("127.0.0.1:9092", "headgate.registry")  # doctest: +SKIP
    >>> share.table.get("order")  # doctest: +SKIP
    """

    def __init__(self, bootstrap: Bootstrap, topic: str) -> None:
        """Join those who follow this topic; returns at once, whether or not there is a broker."""
        hush()
        self._place = bootstrap, topic
        self._is_open = True
        with _lock:
            if self._place not in _lent:
                _lent[self._place] = _Lent(RegistryTable(bootstrap, topic))
            lent = _lent[self._place]
            lent.users += 1
            self.table = lent.table

    def close(self) -> None:
        """Leave; a second time does nothing."""
        with _lock:
            if not self._is_open:
                return
            self._is_open = False
            lent = _lent[self._place]
            lent.users -= 1
            if lent.users:
                return
            del _lent[self._place]
        # Outside of the lock: it may take seconds, and others may want another topic's.
        self.table.close()
