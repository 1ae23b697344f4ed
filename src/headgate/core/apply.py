"""Applying an outcome. Rule 3 of the protocol.

Applying is a function of the state made by the journal and the outcome, and of nothing else: not of
the registry, the mailbox or a clock. Whatever replays the journal from whichever checkpoint makes
the same chain of bases, the same turns, the same outputs.
"""

from __future__ import annotations

from headgate.core import asked, dedup, messages, render, timers
from headgate.core.identity import next_base
from headgate.core.instance import Instance
from headgate.core.model import DeadLettered, Emit, OutcomeRead, Parking, RecordHistory
from headgate.core.parking import parking_of
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET, FAILURE_CODE_UNSPECIFIED
from headgate.v1.turn_pb2 import Controlled, DeadLetter, EventRef, Failed, HistoryRecord, Outcome

KEPT_CONTROLS = 64
"""Ids of applied controls that an instance remembers. An operator who repeats a control does so
within minutes; 64 later ones in between do not happen by hand."""

HISTORY_VERSION = 1


def apply(instance: Instance, read: OutcomeRead) -> bool:
    """Apply an outcome if it is the first that names the current base; False if it is not."""
    control, outcome = instance.control, read.outcome
    if outcome.base != control.base:
        return False
    control.base = next_base(control.base, outcome.outcome_id)
    control.turn += 1
    # A hybrid logical clock: never before the journal took it, before what caused it, or at the
    # same microsecond as the turn before.
    control.at_us = max(read.appended_ms * 1000, outcome.caused_at_us, control.at_us + 1)
    taken = _take(instance, outcome)
    for mutation in outcome.mutations[:]:
        instance.mutate(mutation)
    if control.timers:
        timers.taken(instance, taken)
    if outcome.timers:
        timers.change(instance, outcome)
    verdict, was_parked = outcome.WhichOneof("verdict"), control.parked
    instance.transition.verdict = verdict
    match verdict:
        case "failed":
            _fresh_start(instance, taken)
            _failed(instance, outcome.failed)
        case "controlled":
            _controlled(instance, outcome.controlled, taken)
        case _:
            _fresh_start(instance, taken)
    control.ClearField("in_flight")
    rendered = _record(instance, read)
    if outcome.messages:
        messages.post(instance, outcome)
    if taken:
        asked.reply(instance, outcome, rendered)
    if verdict != "completed":
        instance.transition.parked_by = control.parked - was_parked
        parking = parking_of(outcome, turn=control.turn, at_us=control.at_us)
        if parking is not None:
            instance.transition.effects.append(Parking(parking))
    return True


def _take(instance: Instance, outcome: Outcome) -> list[bytes]:
    """Let events leave the mailbox, or be `ahead` if they have not come to it yet.

    Returns the fingerprints of all that the outcome took.
    """
    control = instance.control
    expected = control.in_flight.fingerprints[:]
    taken: list[bytes] = []
    with_ids: list[bytes] = []
    in_order = True
    for number, ref in enumerate(outcome.taken[:]):
        fingerprint = ref.fingerprint
        taken.append(fingerprint)
        # What was asked for is the mailbox's head; nothing is read to know it.
        in_order = in_order and number < len(expected) and expected[number] == fingerprint
        if in_order:
            instance.take(control.mailbox_head)
        found = in_order or _take_from_anywhere(instance, ref)
        if not ref.HasField("origin"):
            # A timer's: it came in no record, and none is yet to come.
            continue
        if not dedup.has_passed(control, ref.origin):
            # Even if one with the same id was in the mailbox: this very record is yet to come.
            dedup.mark_ahead(instance, ref)
        elif ref.has_id:
            with_ids.append(fingerprint)
            if not found:
                dedup.note_taken(instance, fingerprint)
    if with_ids:
        dedup.remember(instance, with_ids)
    return taken


def _take_from_anywhere(instance: Instance, ref: EventRef) -> bool:
    if ref.HasField("origin") and not dedup.may_be_in_mailbox(instance, ref):
        return False
    return instance.take_by(ref.fingerprint)


def _fresh_start(instance: Instance, taken: list[bytes]) -> None:
    """End the wait after the last failure; attempts are forgotten with the event they are of."""
    control = instance.control
    if control.blamed in taken:
        _forget_attempts(instance)
    control.not_before_us = 0
    control.singles = max(0, control.singles - len(taken))
    control.failure_code = FAILURE_CODE_UNSPECIFIED
    control.failure_message = ""
    control.whole_lists = False


def _forget_attempts(instance: Instance) -> None:
    instance.control.attempts = 0
    instance.control.blamed = b""


def _failed(instance: Instance, failed: Failed) -> None:
    control = instance.control
    control.failure_code = failed.code
    control.failure_message = failed.message
    if failed.wants_whole_lists:
        control.whole_lists = True
        return
    match failed.WhichOneof("disposition"):
        case "dead_letter":
            _dead_letter(instance, failed.dead_letter)
        case "park":
            control.parked = True
            _blame(instance, failed)
        case _:
            if failed.retry_after_ms:
                control.not_before_us = control.at_us + failed.retry_after_ms * 1000
            if failed.code == FAILURE_CODE_BUDGET:
                # No call was made: nobody is to blame that money is spent.
                control.singles = failed.batch or control.singles
            else:
                _blame(instance, failed)


def _blame(instance: Instance, failed: Failed) -> None:
    control = instance.control
    if not failed.names_event:
        # Nobody knows which of them it was: one by one from here, and no attempt is charged to an
        # event that may be innocent.
        control.singles = failed.batch
    elif control.blamed == failed.blamed:
        control.attempts += 1
    else:
        # A replay may find another event at the head than the one that failed: the count has a
        # name.
        control.attempts = 1
        control.blamed = failed.blamed


def _dead_letter(instance: Instance, given: DeadLetter) -> None:
    letter = DeadLetter()
    letter.CopyFrom(given)
    letter.id = f"{instance.address}/{instance.control.turn}"
    letter.at_ms = instance.control.at_us // 1000
    instance.transition.effects.append(DeadLettered(letter))


def _controlled(instance: Instance, controlled: Controlled, taken: list[bytes]) -> None:
    control = instance.control
    match controlled.verb:
        case Controlled.RESUME:
            control.parked = False
            _fresh_start(instance, taken)
            _forget_attempts(instance)
        case Controlled.SKIP:
            control.parked = False
            _fresh_start(instance, taken)
            _forget_attempts(instance)
            if controlled.HasField("dead_letter"):
                _dead_letter(instance, controlled.dead_letter)
        case Controlled.RESET | Controlled.EXPIRE:
            control.parked = False
            _fresh_start(instance, taken)
            _forget_attempts(instance)
            instance.forget_state()
            timers.cancel_all(instance)
        case Controlled.PARK:
            control.parked = True
        case _:
            # CANCEL is done with the new base; a verb of a newer version does no more than that.
            pass
    control.controls.append(controlled.control_id)
    del control.controls[:-KEPT_CONTROLS]
    waiting = [c for c in control.pending_controls if c.control_id != controlled.control_id]
    del control.pending_controls[:]
    control.pending_controls.extend(waiting)


def _record(instance: Instance, read: OutcomeRead) -> list[bytes]:
    """Write outbox and history; return the outputs as the outbox has them."""
    control = instance.control
    effects = instance.transition.effects
    at_us = control.at_us
    rendered = render.outputs(instance.address, control.turn, at_us, read.outcome)
    effects.extend([Emit(value) for value in rendered])
    # Journal and history records both hold the outcome as field 1: its bytes go on as they came.
    tail = HistoryRecord()
    tail.at_us = at_us
    tail.base_after = control.base
    tail.journal_partition = read.partition
    tail.journal_offset = read.offset
    tail.journal_ms = read.appended_ms
    tail.schema_version = HISTORY_VERSION
    effects.append(RecordHistory(read.raw + tail.SerializeToString()))
    return rendered
