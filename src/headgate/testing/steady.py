"""Events at a steady rate on a running job, and whether each ends in one turn, in order."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.demo import evidence
from headgate.demo.verify import Finding, Published, check_history, check_outbox
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Delivery, Publisher

# A broker that a test keeps away for a minute must not look like events that were lost.
DELIVERY_SECONDS = 300.0
# A job that starts anew on a busy machine is away for a minute; what came meanwhile drains then.
DRAIN_SECONDS = 240.0
POLL_SECONDS = 0.5


class Stream:
    """Publishes numbered events of some keys, in turn, for one agent. In a thread, from `with` to
    `finish`.
    """

    def __init__(
        self, bootstrap: Bootstrap, topic: str, agent: str, keys: Sequence[str], rate: float
    ) -> None:
        """Describe it: `rate` events per second over all keys."""
        self._bootstrap, self._topic = bootstrap, topic
        self._keys, self._rate = keys, rate
        self._order: dict[str, list[str]] = {f"{agent}/{key}": [] for key in keys}
        self._places = list(self._order)
        self._sent: list[Delivery] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steady-load", daemon=True)
        self._error: Exception | None = None

    @property
    def sent(self) -> int:
        """Events so far."""
        return len(self._sent)

    @property
    def addresses(self) -> Sequence[str]:
        """The instances that they are for."""
        return self._places

    def data(self, number: int) -> dict[str, Any]:
        """Return the data of an event, by its number within the stream."""
        return {"n": number // len(self._keys)}

    def finish(self) -> Published:
        """Send no more, and return what Kafka has; raises PublishError for what it has not."""
        self._ended.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        for delivery in self._sent:
            delivery.wait()
        return Published({place: ids for place, ids in self._order.items() if ids})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        headers, began, keys = dict([CONTENT_TYPE]), time.monotonic(), self._keys
        try:
            with Publisher(
                self._bootstrap, linger_ms=1, delivery_seconds=DELIVERY_SECONDS
            ) as publisher:
                for number in itertools.count():
                    wait = began + number / self._rate - time.monotonic()
                    if self._ended.wait(max(0.0, wait)):
                        return
                    which, n = number % len(keys), number // len(keys)
                    key, name = keys[which], f"{keys[which]}-{n}"
                    value = structured(
                        self.data(number),
                        event_type="test",
                        source="steady",
                        event_id=name,
                        subject=key,
                    )
                    sent = publisher.send(self._topic, key, value, headers)
                    self._order[self._places[which]].append(name)
                    self._sent.append(sent)
        except Exception as error:
            self._error = error


class Steady(Stream):
    """A stream whose agent answers each event with one output, and what became of it.

    >>> with Steady(config, "events", "echo", keys=16, rate=50.0) as load:  # doctest: +SKIP
    ...     upgrade()
    ...     assert load.findings() == []
    """

    def __init__(self, config: Config, topic: str, agent: str, *, keys: int, rate: float) -> None:
        """Describe it: `rate` events per second over all keys."""
        names = [f"key-{number}" for number in range(keys)]
        super().__init__(config.kafka.bootstrap, topic, agent, names, rate)
        self._config = config

    def findings(self) -> Sequence[Finding]:
        """Wait until all is through, and return what is lost, duplicated or out of order."""
        published = self.finish()
        deadline = time.monotonic() + DRAIN_SECONDS
        # Each event has one output; what is missing after so long is lost.
        while len(evidence.read_outbox(self._config, published.order)) < published.count:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        history = evidence.read_history(self._config, published.order)
        outbox = evidence.read_outbox(self._config, published.order)
        return [*check_history(published, history), *check_outbox(published, outbox)]

    def decided_ms(self) -> list[int]:
        """Return when outcomes were journaled, milliseconds since the epoch, in order."""
        return evidence.read_journal(self._config, set(self.addresses)).outcomes_ms
