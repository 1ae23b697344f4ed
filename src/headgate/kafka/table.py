"""The registry as a table that keeps itself up to date in the background.

Rules:
- One daemon thread reads; `get` looks into a dict and never waits.
- What is shown is replaced as a whole with every change: specs and position belong together, and
  whoever derives something from them sees by the object's identity whether it still holds.
- Every connection reads from the beginning into a new table, which replaces the shown one when it
  is complete: what was shown before an outage is shown during it, and a registry that was deleted
  and made anew leaves no ghosts.
- An outage is retried for ever and logged once when it begins and once when it ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from headgate.bootstrap import Bootstrap
from headgate.core.budgets import NO_BUDGETS, Budgets
from headgate.core.prices import NO_TERMS
from headgate.errors import HeadgateError
from headgate.kafka.connect import open_consumer
from headgate.kafka.money import BUDGET_PREFIX, TERMS_KEY, read_budget, read_terms
from headgate.kafka.specs import OWN, read_spec
from headgate.v1.cost_pb2 import Budget, Terms
from headgate.v1.turn_pb2 import AgentSpec

if TYPE_CHECKING:
    from kafka import KafkaConsumer, TopicPartition

log = logging.getLogger(__name__)

# The broker holds a fetch open this long, so an idle table costs two small requests a second, and
# close() waits no longer than that.
POLL_MS = 500
# A table that cannot reach its topic asks again this often: an attached agent is served a second
# after the broker is back.
RETRY_SECONDS = 1.0
# kafka-python polls an absent broker in silence. A question that must be answered finds out: often
# enough that a log shows when the outage began, seldom enough to cost nothing.
PROBE_SECONDS = 10.0
PROBE_TIMEOUT_MS = 5_000
# close() of a consumer whose broker is gone must not hold up the shutdown of a TaskManager.
CLOSE_SECONDS = 3.0


class Shown(NamedTuple):
    """What the registry says: never changed, replaced with every change.

    position: the offset up to which it was read; 0 before all that stood there at the start was. It
    never falls, so that whoever waits for one comes to an end even if the topic is made anew.
    paused: the types of those that are.
    terms: what calls cost. budgets: what may be spent, the same object while no budget changes.
    """

    specs: Mapping[str, AgentSpec] = MappingProxyType({})
    position: int = 0
    paused: frozenset[str] = frozenset()
    terms: Terms = NO_TERMS
    budgets: Budgets = NO_BUDGETS


@dataclass(slots=True)
class _Read:
    """What one connection has read so far."""

    specs: dict[str, AgentSpec] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    terms: Terms = field(default_factory=lambda: NO_TERMS)


class RegistryTable:
    """Follows a registry topic.

    >>> with RegistryTable("127.0.0.1:9092", "headgate.registry") as table:  # doctest: +SKIP
    ...     table.get("order")
    """

    def __init__(self, bootstrap: Bootstrap, topic: str) -> None:
        """Start following; returns at once, whether or not there is a broker."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._shown = Shown()
        self._skipped: set[int] = set()
        self._complete = threading.Event()
        self._closing = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="headgate-registry", daemon=True)
        self._thread.start()

    def get(self, agent_type: str) -> AgentSpec | None:
        """Return the agent of that type as the registry has it now. Do not change it."""
        return self._shown.specs.get(agent_type)

    def specs(self) -> dict[str, AgentSpec]:
        """Return all agents that are attached now."""
        return dict(self._shown.specs)

    @property
    def shown(self) -> Shown:
        """All that is known now, another object after every change."""
        return self._shown

    @property
    def is_complete(self) -> bool:
        """Whether all that stood in the registry at the start has been read."""
        return self._complete.is_set()

    def await_complete(self, timeout_seconds: float) -> bool:
        """Wait until `is_complete`; False if it is not in time."""
        return self._complete.wait(timeout_seconds)

    @property
    def bad_records(self) -> int:
        """Records that could not be read and were skipped."""
        return len(self._skipped)

    @property
    def trouble(self) -> str:
        """Why the table may be behind, empty if it is not."""
        return self._trouble

    def close(self) -> None:
        """Stop following."""
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._follow()
            except HeadgateError as error:
                self._troubled(str(error))
            except Exception as error:  # noqa: BLE001, RUF100 - whatever it is, the agents stay known
                self._troubled(f"{type(error).__name__}: {error}")
            self._closing.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        from kafka import TopicPartition

        place = TopicPartition(self._topic, 0)
        # "none": a position that the topic no longer has ends this connection, and the next one
        # reads everything again.
        consumer = open_consumer(
            self._bootstrap, auto_offset_reset="none", fetch_max_wait_ms=POLL_MS
        )
        try:
            if not consumer.partitions_for_topic(self._topic):
                self._troubled(f"there is no topic {self._topic} at {self._bootstrap} yet")
                return
            consumer.assign([place])
            offsets = consumer.beginning_offsets([place], timeout_ms=PROBE_TIMEOUT_MS)
            consumer.seek(place, offsets[place])
            end = consumer.end_offsets([place], timeout_ms=PROBE_TIMEOUT_MS)[place]
            table = _Read()
            while not self._closing.is_set() and consumer.position(place) < end:
                self._take(table, consumer.poll(POLL_MS).get(place, []))
            if self._closing.is_set():
                return
            self._show(table, end)
            self._complete.set()
            self._recovered()
            self._keep_up(consumer, place, table)
        finally:
            consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1_000))

    def _keep_up(self, consumer: KafkaConsumer, place: TopicPartition, table: _Read) -> None:
        from kafka.errors import KafkaTimeoutError

        probe_at = time.monotonic() + PROBE_SECONDS
        while not self._closing.is_set():
            records = consumer.poll(POLL_MS).get(place, [])
            self._take(table, records)
            if records:
                self._show(table, records[-1].offset + 1)
                self._recovered()
            if time.monotonic() < probe_at:
                continue
            try:
                consumer.end_offsets([place], timeout_ms=PROBE_TIMEOUT_MS)
                self._recovered()
            except KafkaTimeoutError:
                self._troubled(f"no Kafka broker answers at {self._bootstrap}")
            pause = RETRY_SECONDS if self._trouble else PROBE_SECONDS
            probe_at = time.monotonic() + pause

    def _show(self, table: _Read, position: int) -> None:
        before = self._shown
        specs, budgets = dict(table.specs), Budgets(table.budgets.values())
        self._shown = Shown(
            specs,
            max(position, before.position),
            frozenset(name for name, spec in specs.items() if spec.paused),
            table.terms,
            before.budgets if before.budgets == budgets else budgets,
        )

    def _take(self, table: _Read, records: list[Any]) -> None:
        for record in records:
            wrong = _take_one(table, record.key or b"", record.value)
            if wrong and record.offset not in self._skipped:
                self._skipped.add(record.offset)
                log.warning("%s offset %d is skipped: %s", self._topic, record.offset, wrong)

    def _troubled(self, why: str) -> None:
        if not self._trouble:
            log.warning("the registry table waits and goes on with what it knows: %s", why)
        self._trouble = why

    def _recovered(self) -> None:
        if self._trouble:
            log.warning("the registry table is up to date again")
        self._trouble = ""


def _take_one(table: _Read, key: bytes, value: bytes | None) -> str:
    """Take a record in; return why it cannot be used, if so."""
    name = key.decode(errors="replace")
    if key.startswith(OWN):
        return _take_own(table, name, value)
    if value is None:
        table.specs.pop(name, None)
        return ""
    spec = read_spec(key, value)
    if isinstance(spec, str):
        return spec
    table.specs[spec.type] = spec
    return ""


def _take_own(table: _Read, name: str, value: bytes | None) -> str:
    if name == TERMS_KEY:
        terms = NO_TERMS if value is None else read_terms(value)
        if isinstance(terms, str):
            return terms
        table.terms = terms
    elif name.startswith(BUDGET_PREFIX):
        named = name.removeprefix(BUDGET_PREFIX)
        if value is None:
            table.budgets.pop(named, None)
            return ""
        budget = read_budget(named, value)
        if isinstance(budget, str):
            return budget
        table.budgets[named] = budget
    return ""
