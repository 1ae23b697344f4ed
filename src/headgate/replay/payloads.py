"""What events held: turns only name them, so the records are read where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.core.decode import TopicRule
from headgate.kafka.errors import UnknownTopicError
from headgate.kafka.publish import count_partitions
from headgate.kafka.rules import rules_of
from headgate.kafka.span import Spans
from headgate.kafka.tail import as_record
from headgate.replay.events import Place, event_in
from headgate.v1.agent_pb2 import Event

GAP = 500
"""Records between two that are wanted which are read for nothing: to seek costs a round trip, and a
fetch brings so many in any case."""


class Payloads:
    """Reads events at their places; writes nothing anywhere."""

    def __init__(self, bootstrap: Bootstrap, config: Config, spans: Spans) -> None:
        """`spans` reads all there is: what a turn took was committed then."""
        self._bootstrap = bootstrap
        self._inbox = config.topic_names.inbox
        self._rules: Mapping[str, TopicRule] = rules_of(config)
        self._spans = spans
        self._partitions: dict[str, int] = {}

    def read(self, places: Iterable[Place]) -> dict[Place, Event | str]:
        """Return the event at each place, or why there is none any more."""
        found: dict[Place, Event | str] = {}
        for run in _runs(places):
            found |= dict.fromkeys(run, "the topic does not hold it any more")
            topic, partition, first = run[0]
            if partition >= self._count(topic):
                found |= dict.fromkeys(run, "there is no such partition any more")
                continue
            wanted = {place.offset for place in run}
            # A topic that was made anew ends before the place: nothing will come there soon.
            end = min(run[-1].offset + 1, self._spans.end(topic, partition))
            for record in self._spans.records(topic, partition, first, end):
                if record.offset in wanted:
                    place = Place(topic, partition, record.offset)
                    found[place] = event_in(as_record(record), self._inbox, self._rules)
        return found

    def _count(self, topic: str) -> int:
        if topic not in self._partitions:
            try:
                self._partitions[topic] = count_partitions(self._bootstrap, topic)
            except UnknownTopicError:
                self._partitions[topic] = 0
        return self._partitions[topic]


def _runs(places: Iterable[Place]) -> Iterator[list[Place]]:
    """Yield places of one partition that are near each other, in their order."""
    run: list[Place] = []
    for place in sorted(set(places)):
        if run and (run[-1][:2] != place[:2] or place.offset - run[-1].offset > GAP):
            yield run
            run = []
        run.append(place)
    if run:
        yield run
