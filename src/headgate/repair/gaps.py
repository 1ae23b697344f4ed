"""Gaps: what turns have made according to the journal, and is not in the output topics.

Each partition of the journal is followed as Gate follows it: an outcome counts if it is the first
that names its instance's base. Where an instance stands at the beginning is known from the history,
or it has taken no turn yet. What each turn must have put out is known from the outcome alone; only
what is missing is made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from headgate.config import Config, TopicNames
from headgate.core.model import OutcomeRead
from headgate.core.parking import parking_of
from headgate.core.replay import Standing, genesis, replay
from headgate.kafka.span import Spans
from headgate.repair.journal import outcomes_in
from headgate.repair.present import Place, Present, read_present


@dataclass(frozen=True, slots=True)
class Gap:
    """A record that a turn made and that no reader of the committed sees. No value: a null.

    `timestamp_ms` is the log-append time of the outcome: the timestamp that the job gives it.
    """

    topic: str
    partition: int
    address: str
    id: str
    value: bytes
    timestamp_ms: int


@dataclass(slots=True)
class Survey:
    """What was looked at and what was found. `uncertain`: turns of instances whose place in their
    chain is no longer told by any topic. `whole`: partitions without a gap whose newest turn was
    looked at, and is there with all that it made.
    """

    turns: int = 0
    gaps: list[Gap] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)
    whole: set[int] = field(default_factory=set)


def survey(
    config: Config,
    positions: dict[int, int],
    *,
    since_ms: int = 0,
    history_since_ms: int = 0,
) -> Survey:
    """Look for gaps among the turns whose outcomes stand before `positions` in the journal.

    The output topics must be settled (`await_settled`). since_ms: look at outcomes from then on.
    history_since_ms: read the history from then on only; faster, but the place of an instance
    that was quiet since is not known then.
    """
    found, names, bootstrap = Survey(), config.topic_names, config.kafka.bootstrap
    with (
        Spans(bootstrap, is_read_committed=False) as journal,
        Spans(bootstrap, is_read_committed=True) as outputs,
    ):
        for partition, position in positions.items():
            since = journal.offset_at(names.journal, partition, since_ms) if since_ms else 0
            end = min(position, journal.end(names.journal, partition))
            records = journal.records(names.journal, partition, since, end)
            first: Any = next(records, None)
            if first is None:
                continue
            place = Place(partition, first.offset, first.timestamp)
            present = read_present(names, outputs, place, history_since_ms=history_since_ms)
            read = (
                each
                for record in chain([first], records)
                for each in outcomes_in(record, config.kafka.partitions)
            )
            if Follower(names, present, found).follow(read):
                found.whole.add(partition)
    return found


class Follower:
    """Follows the outcomes of one partition and notes in `found` what is missing."""

    def __init__(self, names: TopicNames, present: Present, found: Survey) -> None:
        self._names = names
        self._present = present
        self._found = found
        self._stands: dict[str, Standing] = {}
        # The last word on whether an instance is parked: missing, or None if it is there.
        self._parkings: dict[str, Gap | None] = {}

    def follow(self, outcomes: Iterable[tuple[str, OutcomeRead]]) -> bool:
        """Take outcomes in the journal's order; return whether nothing is missing of them, and the
        newest is known to be there.
        """
        had, doubted = len(self._found.gaps), len(self._found.uncertain)
        is_newest_there = False
        for address, read in outcomes:
            stood = self._before(address, read)
            if stood is None:
                # One that lost says nothing; of one that may have applied nobody knows.
                is_newest_there &= len(self._found.uncertain) == doubted
                doubted = len(self._found.uncertain)
                continue
            self._found.turns += 1
            after = self._present.turns.get(read.outcome.outcome_id)
            is_newest_there = after is not None and self._is_whole(f"{address}/{after.turn}", read)
            if after is not None and is_newest_there:
                self._stands[address] = after
            else:
                self._stands[address] = self._fill(address, stood, read)
            self._note_parking(address, self._stands[address], read)
        self._found.gaps += filter(None, self._parkings.values())
        return is_newest_there and len(self._found.gaps) == had

    def _note_parking(self, address: str, stands: Standing, read: OutcomeRead) -> None:
        """Note what a turn says of parking: only the last word may be written behind the others.

        It is in one transaction with the history: both are there, or neither.
        """
        value = parking_of(read.outcome, turn=stands.turn, at_us=stands.at_us)
        if value is None:
            return
        name, topic = f"{address}/{stands.turn}", self._names.parked
        missing = Gap(topic, read.partition, address, name, value, read.appended_ms)
        is_there = read.outcome.outcome_id in self._present.turns
        self._parkings[address] = None if is_there else missing

    def _before(self, address: str, read: OutcomeRead) -> Standing | None:
        """Return where the instance stood if the outcome applied to it, else None."""
        outcome = read.outcome
        known = self._stands.get(address) or self._present.before.get(address)
        stood = known or genesis(address)
        after = self._present.turns.get(outcome.outcome_id)
        if after is not None and after.turn > stood.turn:
            # The history is the judge of what happened: it also tells where an instance stood whose
            # earlier records are gone. Times grow by at least 1 us.
            return Standing(outcome.base, after.turn - 1, after.at_us - 1)
        if outcome.base == stood.base:
            return stood
        if known is None and outcome.turn > 1:
            self._found.uncertain.append(f"{address}/{outcome.turn}")
        return None

    def _is_whole(self, turn: str, read: OutcomeRead) -> bool:
        outcome = read.outcome
        gives_up = outcome.failed.HasField("dead_letter") or outcome.controlled.HasField(
            "dead_letter"
        )
        if gives_up and turn not in self._present.letters:
            return False
        return all(
            f"{turn}/{index}" in self._present.outputs for index in range(len(outcome.outputs))
        )

    def _fill(self, address: str, stood: Standing, read: OutcomeRead) -> Standing:
        made = replay(address, stood, read)
        if made is None:
            message = f"{address}/{stood.turn + 1} does not apply to its own base"
            raise AssertionError(message)
        present, names = self._present, self._names
        turn = f"{address}/{made.standing.turn}"
        missing: list[tuple[str, str, bytes]] = []
        for index, value in enumerate(made.outputs):
            if f"{turn}/{index}" not in present.outputs:
                missing.append((names.outbox, f"{turn}/{index}", value))
        if read.outcome.outcome_id not in present.turns:
            missing.append((names.history, turn, made.history))
        if turn not in present.letters:
            missing += [(names.dead_letters, turn, value) for value in made.letters]
        self._found.gaps += [
            Gap(topic, read.partition, address, name, value, read.appended_ms)
            for topic, name, value in missing
        ]
        return made.standing
