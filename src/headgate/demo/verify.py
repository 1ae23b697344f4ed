"""Exactly once, in order: what was published against what outbox and history say.

Pure: everything comes in as data that was read under read_committed, so that tests can feed it
histories with a lost, a doubled or a reordered event.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from headgate.v1.turn_pb2 import HistoryRecord

Kind = Literal["lost", "duplicated", "out_of_order", "state"]
Outbox = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with its address and the event (or turn) that it concerns."""

    kind: Kind
    address: str
    event: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.address}, event {self.event}: {self.what}"


@dataclass(frozen=True, slots=True)
class Published:
    """What was published: for each address its events' ids in order."""

    order: Mapping[str, Sequence[str]]

    @property
    def count(self) -> int:
        """How many events."""
        return sum(map(len, self.order.values()))


def address_of_turn(record: HistoryRecord) -> str:
    """Return whose turn a history record is."""
    return f"{record.outcome.agent_type}/{record.outcome.key}"


def check_history(published: Published, history: Iterable[HistoryRecord]) -> list[Finding]:
    """Check that every event is in exactly one completed turn, and turns follow each other."""
    findings: list[Finding] = []
    taken: dict[str, list[str]] = defaultdict(list)
    turns: dict[str, list[int]] = defaultdict(list)
    given_up: dict[tuple[str, str], str] = {}
    for record in history:
        address, outcome = address_of_turn(record), record.outcome
        turns[address].append(outcome.turn)
        ids = [ref.id for ref in outcome.taken]
        if outcome.failed.HasField("dead_letter"):
            why = outcome.failed.message
            given_up[address, ids.pop()] = f"given up in turn {outcome.turn}: {why}"
        taken[address].extend(ids)
    for address in sorted(published.order.keys() | taken.keys()):
        expected, found = list(published.order.get(address, ())), taken[address]
        findings += _occurrences(address, expected, found, "in {} completed turns", given_up)
        findings += _order(address, expected, found, "history")
        findings += _numbers(address, turns[address])
    return findings


def check_outbox(published: Published, outbox: Iterable[Outbox]) -> list[Finding]:
    """Check that every event has exactly one output, in order, and that ids are unique."""
    findings: list[Finding] = []
    answered: dict[str, list[str]] = defaultdict(list)
    causes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for output in outbox:
        address = str(output.get("source", "")).removeprefix("headgate:")
        cause = str(output.get("causationid", ""))
        answered[address].append(cause)
        causes[address, str(output.get("id", ""))].append(cause)
    for (address, name), found in causes.items():
        # Consumers tell repeats by the id: two outputs with one id are one to them.
        if len(found) > 1:
            what = f"output {name} is {len(found)} times in the outbox, for {', '.join(found)}"
            findings.append(Finding("duplicated", address, found[-1], what))
    for address in sorted(published.order.keys() | answered.keys()):
        expected, told = list(published.order.get(address, ())), answered[address]
        findings += _occurrences(address, expected, told, "has {} outputs in the outbox", {})
        findings += _order(address, expected, told, "the outbox")
    return findings


def _occurrences(
    address: str,
    expected: Sequence[str],
    found: Sequence[str],
    what: str,
    given_up: Mapping[tuple[str, str], str],
) -> list[Finding]:
    counts = Counter(found)
    findings = [
        Finding("lost", address, event, given_up.get((address, event), what.format("no")))
        for event in expected
        if not counts[event]
    ]
    known = set(expected)
    findings += [
        Finding("duplicated", address, event, what.format(count))
        for event, count in counts.items()
        # An event that nobody sent to this address is one too many as well.
        if count > 1 or event not in known
    ]
    return findings


def _order(
    address: str, expected: Sequence[str], found: Sequence[str], where: str
) -> list[Finding]:
    places = {event: place for place, event in enumerate(expected)}
    findings: list[Finding] = []
    furthest = -1
    for event in dict.fromkeys(found):  # repeats are counted elsewhere
        place = places.get(event, furthest)
        if place < furthest:
            what = f"comes after {expected[furthest]} in {where}"
            findings.append(Finding("out_of_order", address, event, what))
        furthest = max(furthest, place)
    return findings


def _numbers(address: str, turns: Sequence[int]) -> list[Finding]:
    """Turn numbers count from 1 without gap or repeat; every id that an output has builds on it."""
    findings = [
        Finding("duplicated", address, f"turn {turn}", f"is {count} times in the history")
        for turn, count in Counter(turns).items()
        if count > 1
    ]
    findings += [
        Finding("lost", address, f"turn {turn}", "is missing in the history")
        for turn in sorted(set(range(1, max(turns, default=0) + 1)) - set(turns))
    ]
    findings += [
        Finding("out_of_order", address, f"turn {later}", f"comes before turn {earlier}")
        for later, earlier in pairwise(turns)
        if earlier < later
    ]
    return findings
