"""Full mailboxes that hold events back, as intake hears of them from every Gate of the job.

Intake is where to wait: it is chained to the source, so that a checkpoint's barrier waits for one
record at most, and what is on its way to Gate goes on. Gate itself must not: it would hold the
journal up, and the turns in it are what makes room.

By way of a topic, because a Gate and the intake that feeds it run in different TaskManagers as
often as not.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from headgate.bootstrap import Bootstrap
from headgate.kafka.follow import Following

WAIT_SECONDS = 0.2
"""Longest wait before a record for a full mailbox. It goes on then, and the mailbox grows by one:
what never gets room, or whose Gate is gone, must not stop those behind it for good, nor a
checkpoint, nor a task that is to be cancelled. So an intake adds five events a second to all full
mailboxes together, and what one fetch has brought for them, often some hundreds, holds others up
for a minute rather than for ten."""

BELIEVED_SECONDS = 30.0
"""For how long a mailbox is full after somebody said so. A life of Gate that ended takes nothing
back; its successor says it again when the next event comes."""

LOOKED_THROUGH_AT = 10_000
"""From how many on those that nobody says again are looked for and forgotten. One whose events
stopped coming while it was full is never asked for again."""


class FullMailboxes:
    """Follows a topic of them in the background. `close` it."""

    def __init__(self, bootstrap: Bootstrap, topic: str) -> None:
        """Start following what is said from now on; returns at once."""
        self._until: dict[str, float] = {}
        self._looked_through_at = LOOKED_THROUGH_AT
        self._changed = threading.Condition()
        self._following = Following(bootstrap, [topic], self.hear)

    def close(self) -> None:
        """Stop following."""
        self._following.close()

    def hear(self, record: Any) -> None:
        """Take in a record: an address, and whether its mailbox is full."""
        address = (record.key or b"").decode(errors="replace")
        with self._changed:
            if record.value:
                self._until[address] = time.monotonic() + BELIEVED_SECONDS
                if len(self._until) > self._looked_through_at:
                    self._forget_unsaid()
                return
            self._until.pop(address, None)
            self._changed.notify_all()

    def await_room(self, address: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait while a mailbox is full, so long at most."""
        # Without the lock: nearly every event finds nothing here.
        if address not in self._until:
            return
        with self._changed:
            until = self._until.get(address, 0.0)
            left = min(seconds, until - time.monotonic())
            if self._changed.wait_for(lambda: address not in self._until, max(left, 0.0)):
                return
            if time.monotonic() >= until:
                del self._until[address]

    def _forget_unsaid(self) -> None:
        now = time.monotonic()
        for address in [each for each, until in self._until.items() if until <= now]:
            del self._until[address]
        # Twice as many: else each further one would look through all of them.
        self._looked_through_at = max(LOOKED_THROUGH_AT, 2 * len(self._until))
