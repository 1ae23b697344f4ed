"""Exporting the history's turns as spans, for ever: through outages of Kafka and of the collector.

Only turns that happened stand in the history, each once, whatever was killed before. What has been
exported is committed after the collector took it: a process that dies in between exports that batch
again, with the same span ids, and nothing else is ever sent twice or left out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.kafka.errors import BrokerUnreachableError
from headgate.kafka.resumed import Resumed
from headgate.sealing.errors import SealError
from headgate.tracing.collector import Collector
from headgate.tracing.mark import Mark
from headgate.tracing.positions import Positions
from headgate.tracing.spans import span_of
from headgate.v1.turn_pb2 import HistoryRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

log = logging.getLogger(__name__)

POLL_RECORDS = 512
"""Turns of one export at most, and so of what a killed exporter sends twice."""

RETRY_SECONDS = 1.0
"""A broker or a collector that is started again refuses connections for seconds."""


class SpanExport:
    """Sends what the history has to a collector, in the thread that calls `run`."""

    def __init__(
        self,
        bootstrap: Bootstrap,
        topic: str,
        group: str,
        collector: Collector,
        resource: Resource,
        *,
        is_from_start: bool = False,
    ) -> None:
        """Describe it; `run` connects. ``topic``: the history. ``group``: under which name its
        place is kept. ``is_from_start``: see `Positions.read`.
        """
        self._bootstrap, self._topic, self._group = bootstrap, topic, group
        self._collector = collector
        self._resource = resource
        self._is_from_start = is_from_start
        self._stopping = Event()
        self._waits_for = ""
        self._topic_id = ""
        self._marks: dict[int, Mark] = {}

    def run(self, on_working: Callable[[], None] = lambda: None) -> None:
        """Export until `stop`. `on_working` is called each time that it begins to."""
        from kafka.errors import KafkaError

        try:
            while not self._stopping.is_set():
                try:
                    self._export(on_working)
                except (BrokerUnreachableError, SealError, KafkaError, OSError) as error:
                    self._wait(str(error) or type(error).__name__)
        finally:
            self._collector.close()

    def stop(self) -> None:
        """Let `run` return, once what is under way has been taken or given up.

        Closing the collector here would cut that off: it may have been taken, and would come again.
        """
        self._stopping.set()

    def _export(self, on_working: Callable[[], None]) -> None:
        positions = Positions(self._bootstrap, self._topic, self._group)
        try:
            with Resumed(self._bootstrap, self._topic, most_records=POLL_RECORDS) as topic:
                self._follow(topic, positions, on_working)
        finally:
            positions.close()

    def _follow(self, topic: Resumed, positions: Positions, on_working: Callable[[], None]) -> None:
        # What the collector took before an outage of Kafka's is not sent again after it.
        known = self._marks if topic.topic_id == self._topic_id else {}
        marks = positions.read(topic, known, is_from_start=self._is_from_start)
        self._marks, self._topic_id = marks, topic.topic_id
        for number, mark in marks.items():
            topic.seek(number, mark.next_offset)
        on_working()
        while not self._stopping.is_set():
            spans: list[ReadableSpan] = []
            moved: dict[int, Mark] = {}
            for number, records in topic.poll().items():
                mark = marks[number]
                for record in records:
                    turn = _turn(record.value, f"{self._topic}/{number}@{record.offset}")
                    if turn is None:
                        continue
                    mark, is_repeat = mark.pass_turn(turn)
                    span = None if is_repeat else span_of(turn, self._resource)
                    if span is not None:
                        spans.append(span)
                moved[number] = mark.going_on(topic.position(number))
            if not self._send(spans):
                return
            marks |= moved
            positions.write(moved, topic.topic_id)
            self._waits_for = ""

    def _send(self, spans: Sequence[ReadableSpan]) -> bool:
        """Send spans until all are taken; False if it is to stop before."""
        at_once = len(spans)
        while spans:
            if self._collector.take(spans[:at_once]):
                spans = spans[at_once:]
                continue
            self._wait("the collector does not take spans; see OpenTelemetry's own message")
            if self._stopping.is_set():
                return False
            # It may find them too many, and would find them so for ever.
            at_once = max(1, at_once // 2)
        return True

    def _wait(self, why: str) -> None:
        if not self._waits_for and not self._stopping.is_set():
            log.warning("the export waits: %s", why)
        self._waits_for = why
        self._stopping.wait(RETRY_SECONDS)


def _turn(value: bytes | None, place: str) -> HistoryRecord | None:
    """Return the turn that a record tells; None if it closes a moment, or nobody can read it."""
    try:
        record = HistoryRecord.FromString(value or b"")
    except DecodeError as error:
        log.warning("%s is no record of the history: %s", place, error)
        return None
    return record if record.HasField("outcome") else None
