"""Events at a steady rate on a running job, and whether each ends in one turn, in order."""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Self

from headgate.config import Config
from headgate.demo import evidence
from headgate.demo.verify import Finding, Published, check_history, check_outbox
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Delivery, Publisher

# A job that starts anew on a busy machine is away for a minute; what came meanwhile drains then.
DRAIN_SECONDS = 240.0
POLL_SECONDS = 0.5


class Steady:
    """Publishes numbered events of some keys, in turn, for one agent, which answers each with one
    output. In a thread, from `with` to `finish`.

    >>> with Steady(config, "events", "echo", keys=16, rate=50.0) as load:  # doctest: +SKIP
    ...     upgrade()
    ...     assert load.findings() == []
    """

    def __init__(self, config: Config, topic: str, agent: str, *, keys: int, rate: float) -> None:
        """Describe it: `rate` events per second over all keys."""
        self._config, self._topic, self._agent = config, topic, agent
        self._keys, self._rate = keys, rate
        self._sent: list[tuple[str, str, Delivery]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steady-load", daemon=True)
        self._error: Exception | None = None

    @property
    def sent(self) -> int:
        """Events so far."""
        return len(self._sent)

    def finish(self) -> Published:
        """Send no more, and return what Kafka has; raises PublishError for what it has not."""
        self._ended.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        order: dict[str, list[str]] = defaultdict(list)
        for key, name, delivery in self._sent:
            delivery.wait()
            order[f"{self._agent}/{key}"].append(name)
        return Published(order)

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
        addresses = {f"{self._agent}/{key}" for key, _, _ in self._sent}
        return evidence.read_journal(self._config, addresses).outcomes_ms

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        headers, began = dict([CONTENT_TYPE]), time.monotonic()
        try:
            with Publisher(self._config.kafka.bootstrap, linger_ms=1) as publisher:
                for number in itertools.count():
                    wait = began + number / self._rate - time.monotonic()
                    if self._ended.wait(max(0.0, wait)):
                        return
                    key, n = f"key-{number % self._keys}", number // self._keys
                    name = f"{key}-{n}"
                    value = structured(
                        {"n": n}, event_type="test", source="steady", event_id=name, subject=key
                    )
                    sent = publisher.send(self._topic, key, value, headers)
                    self._sent.append((key, name, sent))
        except Exception as error:
            self._error = error
