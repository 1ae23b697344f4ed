"""What happened lately, of the history's records: rates, latencies, failures, usage. Pure and
bounded.

Rules:
- A turn counts once. The history may repeat turns (an older savepoint was restored): within a
  partition they stand in the order of the journal, so what is at an earlier place there than the
  last was counted.
- Turns count by their time in the journal, and what is older than the window is forgotten,
  whatever comes.
- Usage is kept for longer and coarser; of series beyond a bound the rest is one, "others".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from headgate.core.bounds import fault_of_time
from headgate.core.identity import address_of
from headgate.kafka.outcomes import code_name
from headgate.ui.counts import Series, Spent, Step, cost_of, level_of, tenant_of
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET, FAILURE_CODE_DEADLINE_EXCEEDED
from headgate.v1.turn_pb2 import HistoryRecord, Outcome

STEP_SECONDS = 5
"""Of one point of a chart."""
STEPS = 180
"""Points that are kept: a quarter of an hour."""
RATE_STEPS = 6
"""Points that "now" means: half a minute."""
MINUTES = 24 * 60
SERIES = 200
"""Of usage. Tenants may be as many as users: what they cost together still is seen."""
RECENT = 60
"""Instances of an agent type that are remembered as active."""
MOST_OFFSET = 2**53
"""Of a partition of Kafka's: none comes there."""
TYPES = 200
"""Agent types whose instances are; of more, those that were active last."""


@dataclass(slots=True)
class _Place:
    offset: int = -1
    turns: set[tuple[str, int]] = field(default_factory=set)


class Window:
    """Counts turns. One thread writes, any read what the methods return."""

    def __init__(self) -> None:
        self._steps: OrderedDict[int, dict[str, Step]] = OrderedDict()
        self._minutes: OrderedDict[int, dict[Series, Spent]] = OrderedDict()
        self._names: set[Series] = set()
        self._places: dict[int, _Place] = {}
        self._last_ms: dict[str, int] = {}
        self._refused: set[str] = set()
        self._late: dict[str, tuple[str, int]] = {}
        # By agent type and address.
        self._recent: OrderedDict[str, dict[str, int]] = OrderedDict()
        self.newest_ms = 0

    def take(self, record: HistoryRecord) -> bool:
        """Count a turn; False if it was counted before, or is none."""
        outcome = record.outcome
        at_ms = record.journal_ms or record.at_us // 1_000
        # A record of somebody else's that is far ahead would make all that come after it old.
        if fault_of_time(at_ms * 1_000, "the turn's time") or record.journal_offset > MOST_OFFSET:
            return False
        if not outcome.agent_type or not self._is_new(record):
            return False
        self.newest_ms = max(self.newest_ms, at_ms)
        self._count(outcome, at_ms)
        self._spend(outcome, at_ms)
        address = address_of(outcome.agent_type, outcome.key)
        if outcome.failed.code == FAILURE_CODE_DEADLINE_EXCEEDED:
            self._late[outcome.agent_type] = address, at_ms
        else:
            is_refused = outcome.failed.code == FAILURE_CODE_BUDGET
            # Until it is tried again nobody waits for an answer. A budget's refusal may hold for a
            # month, and is told by itself.
            until_ms = at_ms if is_refused else at_ms + outcome.failed.retry_after_ms
            before_ms = self._last_ms.get(outcome.agent_type, 0)
            self._last_ms[outcome.agent_type] = max(until_ms, before_ms)
            (self._refused.add if is_refused else self._refused.discard)(outcome.agent_type)
        self._note_active(outcome.agent_type, address, at_ms)
        return True

    def recent(self, agent: str = "") -> list[tuple[str, int]]:
        """Return the addresses that were active last (of all agents: "") and when, milliseconds;
        the newest first.
        """
        found = [
            each
            for name, by_address in list(self._recent.items())
            if agent in {"", name}
            for each in list(by_address.items())
        ]
        return sorted(found, key=lambda each: each[1], reverse=True)[:RECENT]

    def _note_active(self, agent: str, address: str, at_ms: int) -> None:
        by_address = self._recent.setdefault(agent, {})
        self._recent.move_to_end(agent)
        by_address[address] = max(at_ms, by_address.get(address, 0))
        if len(by_address) > RECENT:
            # By time: who starts anew reads one partition after the other.
            del by_address[min(by_address, key=by_address.__getitem__)]
        if len(self._recent) > TYPES:
            self._recent.popitem(last=False)

    def last_ms(self, agent: str) -> int:
        """Return until when an agent had answered, 0 if it has not: a deadline that passed is no
        answer, and a failure is one until it is tried again.
        """
        return self._last_ms.get(agent, 0)

    def is_refused(self, agent: str) -> bool:
        """Tell whether the newest turn of an agent was refused by a budget."""
        return agent in self._refused

    def late(self, agent: str) -> tuple[str, int]:
        """Return the instance whose deadline passed last, and when; ("", 0) if none did."""
        return self._late.get(agent, ("", 0))

    def total(self, now_ms: int, agent: str = "", steps: int = STEPS) -> Step:
        """Return all that an agent did (all agents: "") in the newest so many steps."""
        found = Step()
        first = _step_of(now_ms) - steps + 1
        for number, by_agent in list(self._steps.items()):
            if number >= first:
                for name, step in list(by_agent.items()):
                    if agent in {"", name}:
                        found.add(step)
        return found

    def rate(self, now_ms: int, agent: str = "") -> float:
        """Return turns per second, now."""
        found = self.total(now_ms - STEP_SECONDS * 1_000, agent, RATE_STEPS)
        return (found.completed + found.failed) / (RATE_STEPS * STEP_SECONDS)

    def chart(self, now_ms: int, agent: str = "") -> list[tuple[int, int]]:
        """Return completed and failed turns for each step of the window, oldest first."""
        newest = _step_of(now_ms)
        found = []
        for number in range(newest - STEPS + 1, newest + 1):
            by_agent = self._steps.get(number, {})
            wanted = [s for name, s in list(by_agent.items()) if agent in {"", name}]
            found.append((sum(s.completed for s in wanted), sum(s.failed for s in wanted)))
        return found

    def spent(self, since_minute: int = 0) -> Iterator[tuple[int, Series, Spent]]:
        """Yield minute (of the epoch), series and what it spent, oldest first."""
        for minute, by_series in list(self._minutes.items()):
            if minute >= since_minute:
                for series, spent in list(by_series.items()):
                    yield minute, series, spent

    def _is_new(self, record: HistoryRecord) -> bool:
        place = self._places.setdefault(record.journal_partition, _Place())
        turn = (address_of(record.outcome.agent_type, record.outcome.key), record.outcome.turn)
        if record.journal_offset < place.offset:
            return False
        if record.journal_offset > place.offset:
            place.offset = record.journal_offset
            place.turns.clear()
        elif turn in place.turns:
            return False
        place.turns.add(turn)
        return True

    def _count(self, outcome: Outcome, at_ms: int) -> None:
        number = _step_of(at_ms)
        if number <= _step_of(self.newest_ms) - STEPS:
            return
        step = self._steps.setdefault(number, {}).setdefault(outcome.agent_type, Step())
        _forget(self._steps, _step_of(self.newest_ms) - STEPS)
        if outcome.HasField("failed"):
            # A refusal is the budget's, no fault of the agent's.
            step.failed += outcome.failed.code != FAILURE_CODE_BUDGET
            step.codes[code_name(outcome.failed.code)] += 1
        elif outcome.HasField("completed"):
            step.completed += 1
        step.outputs += len(outcome.outputs)
        # A deadline that passed says how long the agent was waited for, not how long it takes.
        is_answered = outcome.failed.code != FAILURE_CODE_DEADLINE_EXCEEDED
        if is_answered and outcome.called_us and outcome.answered_us >= outcome.called_us:
            step.latencies[level_of((outcome.answered_us - outcome.called_us) / 1_000)] += 1

    def _spend(self, outcome: Outcome, at_ms: int) -> None:
        if not outcome.usage and not cost_of(outcome):
            return
        minute = at_ms // 60_000
        newest = self.newest_ms // 60_000
        if minute <= newest - MINUTES:
            return
        by_series = self._minutes.setdefault(minute, {})
        _forget(self._minutes, newest - MINUTES)
        by_model: dict[str, Spent] = {}
        for usage in outcome.usage:
            used = Spent(1, usage.input_tokens, usage.output_tokens)
            by_model.setdefault(usage.model, Spent()).add(used)
        # A turn has one cost; where it used several models the first one bears it.
        first = min(by_model, default="")
        by_model.setdefault(first, Spent()).add(Spent(cost_nanos=cost_of(outcome)))
        for model, spent in sorted(by_model.items()):
            series = self._named(Series(outcome.agent_type, model, tenant_of(outcome)))
            by_series.setdefault(series, Spent()).add(spent)

    def _named(self, series: Series) -> Series:
        if series not in self._names:
            if len(self._names) >= SERIES:
                return Series(series.agent, "others")
            self._names.add(series)
        return series


def _step_of(ms: int) -> int:
    return ms // (STEP_SECONDS * 1_000)


def _forget(kept: OrderedDict[int, Any], last: int) -> None:
    for number in [n for n in kept if n <= last]:
        del kept[number]
