"""Outputs that are newer than a checkpoint: what restoring it would write a second time."""

from __future__ import annotations

import json
from dataclasses import dataclass

from headgate.config import Config
from headgate.core.identity import address_of
from headgate.core.render import rfc3339
from headgate.kafka.span import Spans
from headgate.repair.journal import outcomes_in
from headgate.repair.present import SKEW_MS, Place, history_in, output_id


@dataclass(frozen=True, slots=True)
class Newer:
    """A committed record of a turn that the checkpoint does not cover; `at` is the turn's time."""

    topic: str
    turn: str
    at: str


def find_newer(config: Config, positions: dict[int, int]) -> Newer | None:
    """Return a record that restoring from these journal positions would write again, if any.

    Only what is committed counts: what a crash left uncommitted was seen by nobody, and is aborted
    when the job starts.
    """
    names, bootstrap = config.topic_names, config.kafka.bootstrap
    with (
        Spans(bootstrap, is_read_committed=False) as journal,
        Spans(bootstrap, is_read_committed=True) as outputs,
    ):
        for partition, position in positions.items():
            end = journal.end(names.journal, partition)
            first = next(journal.records(names.journal, partition, position, end), None)
            if first is None:
                continue
            place = Place(partition, position, first.timestamp)
            found = in_history(names.history, outputs, place)
            if found is None:
                turns = {
                    # A loser has the number of a turn that another outcome made, earlier.
                    f"{address}/{read.outcome.turn}": rfc3339(read.appended_ms * 1_000)
                    for record in journal.records(names.journal, partition, position, end)
                    for address, read in outcomes_in(record, config.kafka.partitions)
                    if read.outcome.outputs
                }
                found = in_outbox(names.outbox, outputs, place, turns)
            if found is not None:
                return found
    return None


def in_history(topic: str, outputs: Spans, place: Place) -> Newer | None:
    """Look for a turn whose outcome stands at a place of the journal or after it."""
    partition = place.partition
    since = outputs.offset_at(topic, partition, place.ms - SKEW_MS)
    for record in outputs.records(topic, partition, since, outputs.end(topic, partition)):
        told = history_in(record.value)
        if told is not None and told.journal_offset >= place.offset:
            address = address_of(told.outcome.agent_type, told.outcome.key)
            return Newer(topic, f"{address}/{told.outcome.turn}", rfc3339(told.at_us))
    return None


def in_outbox(topic: str, outputs: Spans, place: Place, turns: dict[str, str]) -> Newer | None:
    """Look where a crash came between the commits of outbox and history.

    turns: those that the checkpoint does not cover, with the least time that they can have.
    """
    if not turns:
        return None
    partition = place.partition
    since = outputs.offset_at(topic, partition, place.ms - SKEW_MS)
    for record in outputs.records(topic, partition, since, outputs.end(topic, partition)):
        turn = output_id(record.value).rpartition("/")[0]
        if turn not in turns:
            continue
        at = str(json.loads(record.value).get("recordedtime", ""))
        if at >= turns[turn]:
            return Newer(topic, turn, at)
    return None
