"""What a consumer of the demo's outputs sees while it runs, and when."""

from __future__ import annotations

import json
import time
from typing import Any

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.kafka.follow import Following
from headgate.v1.turn_pb2 import DeadLetter, HistoryRecord


class Follower:
    """Follows outbox, history and dead letters under read_committed, as a consumer would.

    It judges nothing: `verify` reads the topics anew. It tells when all is through, and when each
    event's answer could be seen.
    """

    def __init__(self, bootstrap: Bootstrap, outbox: str, history: str, dead_letters: str) -> None:
        """Start following, from the topics' present ends."""
        self._outbox, self._history = outbox, history
        self.answered_ms: dict[str, int] = {}  # event -> wall clock when its output was seen
        self.taken: set[str] = set()  # events that a turn took
        self.given_up: set[str] = set()  # events in the dead letters
        self.records = 0
        self._following = Following(bootstrap, [outbox, history, dead_letters], self._note)

    def await_ready(self, seconds: float) -> None:
        """Wait until it reads; raises HeadgateError."""
        self._following.await_ready(seconds)

    def through(self, wanted: set[str]) -> int:
        """Return how many of the wanted events are through: taken and answered, or given up."""
        # Copies at once: the reading thread goes on adding.
        answered = set(self.answered_ms.copy())
        return len(wanted & ((self.taken.copy() & answered) | self.given_up.copy()))

    def stop(self) -> None:
        """Stop following."""
        self._following.close()

    def _note(self, record: Any) -> None:
        self.records += 1
        try:
            if record.topic == self._outbox:
                cause = json.loads(record.value).get("causationid", "")
                self.answered_ms.setdefault(cause, time.time_ns() // 1_000_000)
            elif record.topic == self._history:
                outcome = HistoryRecord.FromString(record.value).outcome
                self.taken.update(ref.id for ref in outcome.taken)
            else:
                self.given_up.add(DeadLetter.FromString(record.value).event_id)
        except (ValueError, DecodeError):
            return  # `verify` will find what is missing, and name it
