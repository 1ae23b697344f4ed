"""What a running Headgate has put out so far, and waiting for what it will."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

from headgate.config import Config
from headgate.core.asked import is_answer
from headgate.core.identity import address_of
from headgate.core.messages import message_id
from headgate.kafka.follow import Following
from headgate.kafka.tail import as_record
from headgate.kafka.views import Kind, View, view
from headgate.v1.agent_pb2 import Origin
from headgate.v1.turn_pb2 import DeadLetter, HistoryRecord, Outcome

T = TypeVar("T")

CONNECT_SECONDS = 30.0
# Without any new record for so long, what is awaited will not come. A job that fails over on a
# busy machine is silent for half a minute.
SILENCE_SECONDS = 240.0
POLL_SECONDS = 0.2
# A test that looks through all turns so far at each new one would keep this from reading on: on a
# slow machine the job then puts out faster than its test can look. It looks a fifth of the time.
REST_OF_LOOK = 4.0

Place = tuple[str, int, int]
"""Topic, partition and offset of an event."""


class Records:
    """Committed records of outbox, history and dead letters, from the beginning, as dicts.

    `history_records` and `letter_records` have the same as the protocol's own messages; the
    `..._of` ones by address. `taken_by` has the places of the events in an agent type's turns,
    `given_up` those of dead letters by reason.
    """

    def __init__(self, config: Config) -> None:
        """Start reading."""
        names = config.topic_names
        self._kinds: dict[str, Kind] = {
            names.outbox: "outbox",
            names.history: "history",
            names.dead_letters: "dead-letters",
        }
        self._changed = threading.Condition()
        self._moved = time.monotonic()
        self.outbox: list[View] = []
        self.history: list[View] = []
        self.dead_letters: list[View] = []
        self.history_records: list[HistoryRecord] = []
        self.letter_records: list[DeadLetter] = []
        self.history_of: dict[str, list[HistoryRecord]] = {}
        self.letters_of: dict[str, list[DeadLetter]] = {}
        self.outbox_of: dict[str, list[View]] = {}
        self.taken_by: dict[str, list[Place]] = {}
        self.given_up: dict[str, list[Place]] = {}
        # Ids of the messages of turns so far, by receiver.
        self.posted: dict[str, list[str]] = {}
        self._following = Following(
            config.kafka.bootstrap, list(self._kinds), self._note, start="start"
        )
        self._following.await_ready(CONNECT_SECONDS)

    def await_found(self, find: Callable[[], T | None], what: str) -> T:
        """Return what `find` finds as soon as it finds something; it is asked as records come.

        Raises:
            AssertionError: nothing new was put out for SILENCE_SECONDS.
        """
        began = time.monotonic()
        with self._changed:
            while True:
                asked = time.monotonic()
                if found := find():
                    return found
                if time.monotonic() - max(self._moved, began) > SILENCE_SECONDS:
                    message = f"{what} did not come, and nothing for {SILENCE_SECONDS:.0f} s"
                    raise AssertionError(message)
                rested = time.monotonic() + REST_OF_LOOK * (time.monotonic() - asked)
                self._changed.wait(POLL_SECONDS)
                while (rest := rested - time.monotonic()) > 0:
                    self._changed.wait(rest)

    def close(self) -> None:
        """Stop reading."""
        self._following.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, record: Any) -> None:
        kind = self._kinds[record.topic]
        seen = view(kind, as_record(record))
        with self._changed:
            match kind:
                case "outbox":
                    self.outbox.append(seen)
                    address = str(seen.get("source", "")).removeprefix("headgate:")
                    self.outbox_of.setdefault(address, []).append(seen)
                case "history" if "closed" in seen:
                    # One comes each second, whether the job does anything or not: no news.
                    return
                case "history":
                    self.history.append(seen)
                    if "_unreadable" not in seen:
                        turn = HistoryRecord.FromString(record.value)
                        self.history_records.append(turn)
                        self.history_of.setdefault(seen["address"], []).append(turn)
                        self._note_messages(seen["address"], turn.outcome)
                        taken = self.taken_by.setdefault(turn.outcome.agent_type, [])
                        taken.extend(place_of(ref.origin) for ref in turn.outcome.taken)
                case _:
                    self.dead_letters.append(seen)
                    if "_unreadable" not in seen:
                        letter = DeadLetter.FromString(record.value)
                        self.letter_records.append(letter)
                        self.letters_of.setdefault(letter.address, []).append(letter)
                        given_up = self.given_up.setdefault(letter.reason, [])
                        given_up.append(place_of(letter.origin))
            self._moved = time.monotonic()
            self._changed.notify_all()

    def _note_messages(self, address: str, outcome: Outcome) -> None:
        for index, message in enumerate(outcome.messages):
            if is_answer(message):
                continue
            receiver = address_of(message.agent_type, message.key)
            name = message_id(address, outcome.turn, index)
            self.posted.setdefault(receiver, []).append(name)


def place_of(origin: Origin) -> Place:
    """Return where an event stood."""
    return origin.topic, origin.partition, origin.offset
