"""One instance's turns, as Gate takes them, with the records that each has made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from headgate.core.letters import letter_for_event
from headgate.core.model import DeadLettered, Emit, OutcomeRead, RecordHistory, Transition
from headgate.v1.turn_pb2 import Controlled, HistoryRecord, JournalRecord, Outcome
from tests.unit.core.build import (
    ADDRESS,
    NOW_MS,
    Host,
    call_of,
    completed,
    decision_of,
    event,
    failed,
)

OUTBOX, HISTORY, LETTERS = "headgate.outbox", "headgate.history", "headgate.dead-letters"


@dataclass
class Life:
    """What stands in the journal, and by topic and id what the job has written for it."""

    reads: list[OutcomeRead] = field(default_factory=list)
    records: dict[tuple[str, str], bytes] = field(default_factory=dict)
    histories: list[HistoryRecord] = field(default_factory=list)

    def take(self, host: Host, outcome: Outcome) -> Transition:
        """Journal an outcome and let the instance read it."""
        offset = len(self.reads)
        raw = JournalRecord(outcome=outcome).SerializeToString()
        # Some within one millisecond: the time of the turn before decides then.
        read = OutcomeRead(outcome, raw, NOW_MS + offset // 4, 0, offset)
        self.reads.append(read)
        made = host.step(read)
        for effect in made.effects:
            match effect:
                case Emit(value):
                    self.records[OUTBOX, json.loads(value)["id"]] = value
                case RecordHistory(value):
                    told = HistoryRecord.FromString(value)
                    self.histories.append(told)
                    self.records[HISTORY, f"{ADDRESS}/{told.outcome.turn}"] = value
                case DeadLettered(letter):
                    self.records[LETTERS, letter.id] = letter.SerializeToString()
                case _:
                    pass
        return made


def live() -> Life:
    """Take turns of every kind: outputs, losers, failures, a letter, lists, a reset."""
    life, host = Life(), Host()
    asked = host.arrive(event(1, event_id="e1"))
    first = _with_outputs(completed(call_of(asked), 1), 2)
    host.arrive(event(2, event_id="e2"))
    asked = life.take(host, first)
    # A zombie's answer, and a repeat of the producer's.
    life.take(host, _with_outputs(completed(call_of(asked), 9), 1, base=first.base))
    life.take(host, first)
    asked = life.take(host, failed(call_of(asked), 2))
    letter = letter_for_event(event(2, event_id="e2"), ADDRESS, reason="terminal", message="no")
    given_up = failed(call_of(asked), 3)
    given_up.taken.extend(completed(call_of(asked)).taken)
    given_up.failed.dead_letter.CopyFrom(letter)
    life.take(host, given_up)
    control = decision_of(host.wish(Controlled.RESET))
    control.outcome_id = b"\x04" * 16
    life.take(host, control)
    asked = host.arrive(event(3, event_id="e3"))
    life.take(host, _with_outputs(completed(call_of(asked), 5), 1))
    return life


def _with_outputs(outcome: Outcome, count: int, *, base: bytes = b"") -> Outcome:
    if base:
        outcome.base = base
    outcome.mutations.add(name="notes", append=b'"n"')
    for number in range(count):
        outcome.outputs.add(type="t", data=str(number).encode())
    return outcome
