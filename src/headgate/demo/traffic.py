"""The demo's traffic: user turns of dialogues as CloudEvents, interleaved, at a steady rate."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.bootstrap import Bootstrap
from headgate.demo.sgd import EVENT_TYPE, Dialogue, to_events
from headgate.errors import HeadgateError
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Delivery, Publisher

SOURCE = "headgate:demo"
# Records wait this long for company: at 150 events/s a batch has one record either way.
LINGER_MS = 1
# A broker that was killed on a busy machine has needed more than half a minute to come back, and an
# event that was given up meanwhile would look like one that Headgate lost.
DELIVERY_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """One user turn: its id, its dialogue, and its place among all that is published."""

    id: str
    key: str
    data: dict[str, Any]


def named(dialogues: Sequence[Dialogue], repeat: int, run: str = "") -> list[Dialogue]:
    """Return the dialogues `repeat` times over, each time under names of their own.

    >>> [d["dialogue_id"] for d in named([{"dialogue_id": "7"}], 2)]
    ['7', '7.2']
    """
    return [
        {**dialogue, "dialogue_id": _name(dialogue["dialogue_id"], run, number)}
        for number in range(1, repeat + 1)
        for dialogue in dialogues
    ]


def interleaved(dialogues: Iterable[Dialogue], seed: int) -> list[DemoEvent]:
    """Return all events in a random order that keeps the order within each dialogue."""
    waiting = {
        dialogue["dialogue_id"]: [
            DemoEvent(f"{data['dialogue_id']}/{data['turn_index']}", data["dialogue_id"], data)
            for data in to_events(dialogue)
        ][::-1]
        for dialogue in dialogues
    }
    order = [key for key, events in waiting.items() for _ in events]
    random.Random(seed).shuffle(order)  # noqa: S311 - an order, not a secret
    return [waiting[key].pop() for key in order]


class Traffic:
    """Publishes events in a thread, `rate` of them a second."""

    def __init__(
        self, bootstrap: Bootstrap, topic: str, events: Sequence[DemoEvent], rate: float
    ) -> None:
        """Connect; nothing is published before `start`."""
        self._publisher = Publisher(
            bootstrap, linger_ms=LINGER_MS, delivery_seconds=DELIVERY_SECONDS
        )
        self._topic = topic
        self._events = events
        self._rate = rate
        self._deliveries: list[Delivery] = []
        self._checked = 0
        self._error: HeadgateError | None = None
        self._thread = threading.Thread(target=self._run, name="demo-traffic", daemon=True)
        self.started_at = 0.0

    def start(self) -> None:
        """Start publishing; `started_at` is then the wall clock's time of the first event."""
        self.started_at = time.time()
        self._thread.start()

    @property
    def sent(self) -> int:
        """Events handed to the producer so far."""
        return len(self._deliveries)

    @property
    def is_done(self) -> bool:
        """Whether all was sent, or sending has failed."""
        return bool(self.started_at) and not self._thread.is_alive()

    def check(self) -> None:
        """Raise PublishError if an event could not be published."""
        if self._error is not None:
            raise self._error
        while self._checked < len(self._deliveries) and self._deliveries[self._checked].is_done:
            self._deliveries[self._checked].wait()
            self._checked += 1

    def finish(self) -> None:
        """Wait until every event is written; raises PublishError for one that is not."""
        self._thread.join()
        self._publisher.flush()
        self.check()
        self._publisher.close()

    def _run(self) -> None:
        began = time.monotonic()
        headers = dict([CONTENT_TYPE])
        try:
            for number, event in enumerate(self._events):
                # From the start, not from the last event: a pause of the broker is caught up with.
                time.sleep(max(0.0, began + number / self._rate - time.monotonic()))
                value = structured(
                    event.data,
                    event_type=EVENT_TYPE,
                    source=SOURCE,
                    event_id=event.id,
                    subject=event.key,
                )
                self._deliveries.append(
                    self._publisher.send(self._topic, event.key, value, headers)
                )
        except HeadgateError as error:
            self._error = error


def _name(dialogue: str, run: str, number: int) -> str:
    mark = run if number == 1 else f"{run}.{number}"
    return f"{dialogue}{mark}"
