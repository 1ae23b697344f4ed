"""Where the money went: what the journal says that calls cost, added up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.core.batch import records_in
from headgate.core.prices import units
from headgate.kafka.span import Spans
from headgate.v1.turn_pb2 import JournalRecord, Outcome

By = Literal["tenant", "agent", "model", "address", "hour", "day"]

REMEMBERED_IDS = 100_000
"""Ids by which repeats are known: a producer's come within two minutes."""


@dataclass(slots=True)
class Sum:
    """What some calls cost. ``failed``: how much of it came to nothing."""

    calls: int = 0
    nanos: int = 0
    failed_nanos: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, outcome: Outcome) -> None:
        """Add a call's outcome."""
        self.calls += 1
        self.nanos += outcome.cost_nanos
        if outcome.HasField("failed"):
            self.failed_nanos += outcome.cost_nanos
        for each in outcome.usage:
            self.input_tokens += each.input_tokens
            self.output_tokens += each.output_tokens


@dataclass(slots=True)
class Report:
    """Sums by the parts that were asked for."""

    by: tuple[By, ...]
    sums: dict[tuple[str, ...], Sum] = field(default_factory=dict)
    _known: dict[bytes, None] = field(default_factory=dict)

    def take(self, outcome: Outcome, at_ms: int) -> None:
        """Take an outcome in: those of calls, each once."""
        if not outcome.called_us or outcome.outcome_id in self._known:
            return
        self._known[outcome.outcome_id] = None
        if len(self._known) > REMEMBERED_IDS:
            del self._known[next(iter(self._known))]
        group = tuple(_PARTS[part](outcome, at_ms) for part in self.by)
        self.sums.setdefault(group, Sum()).add(outcome)

    def views(self) -> list[dict[str, Any]]:
        """Return the sums: times in order, within one the dearest first."""
        times = sum(part in {"hour", "day"} for part in self.by)
        found = sorted(self.sums.items(), key=lambda each: -each[1].nanos)
        if times:
            places = [n for n, part in enumerate(self.by) if part in {"hour", "day"}]
            found.sort(key=lambda each: [each[0][n] for n in places])
        return [
            dict(zip(self.by, group, strict=True))
            | {
                "calls": each.calls,
                "cost": units(each.nanos),
                "failed_cost": units(each.failed_nanos),
                "input_tokens": each.input_tokens,
                "output_tokens": each.output_tokens,
            }
            for group, each in found
        ]


def report(
    bootstrap: Bootstrap,
    journal: str,
    partitions: int,
    by: tuple[By, ...],
    *,
    since_ms: int,
    until_ms: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Add up what was journaled from one moment to another, by log-append time.

    progress: told how many records are read, of how many.

    Raises:
        BrokerUnreachableError, UnknownTopicError.
    """
    made = Report(by)
    with Spans(bootstrap, is_read_committed=False) as spans:
        ranges = [
            (n, spans.offset_at(journal, n, since_ms), spans.offset_at(journal, n, until_ms))
            for n in range(partitions)
        ]
        total = sum(end - begin for _, begin, end in ranges)
        done = 0
        for partition, begin, end in ranges:
            for record in spans.records(journal, partition, begin, end):
                done += 1
                progress(done, total)
                for outcome in _outcomes(record.value):
                    made.take(outcome, record.timestamp)
    return made


def _outcomes(raw: bytes | None) -> Iterator[Outcome]:
    try:
        for part in records_in(raw or b""):
            record = JournalRecord.FromString(part)
            if record.HasField("outcome"):
                yield record.outcome
    except DecodeError:
        # Somebody else's record: Gate has set it aside.
        return


def _when(form: str) -> Callable[[Outcome, int], str]:
    return lambda _, at_ms: datetime.fromtimestamp(at_ms / 1_000, UTC).strftime(form)


def _models(outcome: Outcome, _: int) -> str:
    return ", ".join(dict.fromkeys(each.model for each in outcome.usage)) or "(none told)"


_PARTS: dict[By, Callable[[Outcome, int], str]] = {
    "tenant": lambda outcome, _: outcome.tenant or "default",
    "agent": lambda outcome, _: outcome.stand_in or outcome.agent_type,
    "model": _models,
    "address": lambda outcome, _: f"{outcome.agent_type}/{outcome.key}",
    "hour": _when("%Y-%m-%dT%H:00Z"),
    "day": _when("%Y-%m-%d"),
}

PARTS = tuple(_PARTS)
