"""From an agent's answer, or the lack of one, to the outcome that is journaled.

The contract (``agent.proto``) is enforced here: an answer that breaks it becomes a failure of the
turn, code BAD_REPLY, and is treated by policy like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONDecoder

from headgate.core import plans, render, trace
from headgate.core.bounds import MOST_PARTS, MOST_USAGES, fault_of_wait
from headgate.core.extensions import fault_of_extensions
from headgate.core.identity import address_of, digest
from headgate.core.letters import LETTER_BYTES, letter_for_event
from headgate.core.prices import NO_TERMS, cost_of
from headgate.core.reference import refer, reference_to
from headgate.core.retry import disposition
from headgate.v1.agent_pb2 import (
    ADVICE_DEAD_LETTER,
    ADVICE_PARK,
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_BAD_REPLY,
    FAILURE_CODE_TOO_LARGE,
    FAILURE_CODE_UNSPECIFIED,
    Failure,
    FailureCode,
    Message,
    Output,
    TimerChange,
    TurnReply,
    TurnRequest,
    Usage,
)
from headgate.v1.cost_pb2 import Terms
from headgate.v1.turn_pb2 import Call, Failed, Outcome

MESSAGE_CHARS = 4_096
USAGES, USAGE_BYTES = 16, 256
"""What is kept of the usage of a reply that is no good: so many, so large."""

ATTRIBUTE_GROWTH = 6
"""JSON writes one control character of an attribute as six."""

ENVELOPE_BYTES = 32_768
"""Room left for what a record holds besides payloads: ids of 1,024 characters at most, each perhaps
escaped sixfold in JSON, positions, CloudEvents attributes."""


_CODES = frozenset(FailureCode.values())


def _refuse(constant: str) -> None:
    msg = f"{constant} is no JSON value"
    raise ValueError(msg)


_STRICT = JSONDecoder(parse_constant=_refuse)


def outcome_of(
    call: Call,
    reply: TurnReply,
    *,
    outcome_id: bytes,
    called_us: int,
    answered_us: int,
    max_record_bytes: int,
    terms: Terms = NO_TERMS,
    into: Outcome | None = None,
) -> Outcome:
    """Return the outcome of an answered call. ``outcome_id`` is 16 fresh random bytes.

    ``called_us`` is 0 where no call was made. ``terms`` say what it cost.

    ``into`` is an empty outcome to fill and return, that of a JournalRecord: one put into a record
    later is copied.
    """
    request = call.request
    # A slice, here and below: protobuf's sequences hand over all at once in half the time that
    # iterating takes, which ends in an exception each time.
    events = request.events[:]
    told: Sequence[Usage] = reply.usage
    if len(told) > MOST_USAGES:
        # A fault of the reply. What is told was paid, and no more of it than may be is looked at.
        told = told[:MOST_USAGES]
    usage = told
    wrong, large = fault_of(request, reply), ""
    if not wrong and not _fits_easily(call, reply, max_record_bytes):
        large = _too_large(call, reply, max_record_bytes)
    if not wrong and not large:
        # Last: parsing 50 MB that are too large anyway would hold up every other turn.
        wrong = _fault_of_data(reply)
    if wrong or large:
        # What it used was paid all the same. Of a reply that is no good, no more than fits anyway.
        usage = [each for each in usage[:USAGES] if each.ByteSize() <= USAGE_BYTES]
        code = FAILURE_CODE_BAD_REPLY if wrong else FAILURE_CODE_TOO_LARGE
        reply = failed_reply(request, code, wrong or large)
    outcome = Outcome() if into is None else into
    if called_us and terms.prices:
        # Of what was answered, though the answer may have come to nothing: it was paid.
        outcome.cost_nanos = cost_of(
            terms,
            request.stand_in or request.agent_type,
            told,
            called_us=called_us,
            answered_us=answered_us,
        )
    outcome.agent_type = request.agent_type
    outcome.key = request.key
    outcome.base = request.base
    outcome.turn = request.turn
    outcome.attempt = request.attempt
    outcome.outcome_id = outcome_id
    outcome.revision = reply.revision
    outcome.called_us = called_us
    outcome.answered_us = answered_us
    trace.carry(request, events, outcome)
    outcome.asked_us = request.asked_us
    outcome.tenant = call.tenant
    outcome.stand_in = request.stand_in
    prefix = len(reply.taken_event_ids)
    taken = outcome.taken
    for event in events[:prefix]:
        refer(taken.add(), event)
        outcome.caused_at_us = max(outcome.caused_at_us, event.at_us)
    outcome.mutations.MergeFrom(reply.mutations)
    outcome.outputs.MergeFrom(reply.outputs)
    if reply.messages:
        outcome.messages.MergeFrom(reply.messages)
    if reply.timers:
        outcome.timers.MergeFrom(reply.timers)
    if usage:
        outcome.usage.extend(usage)
    if reply.HasField("failed"):
        _fail(outcome, call, reply.failed, prefix=prefix)
    else:
        outcome.completed.SetInParent()
    return outcome


def failed_reply(request: TurnRequest, code: FailureCode, message: str) -> TurnReply:
    """Return the answer that stands for one that never came, or that may not count."""
    failure = Failure(code=code, message=message)
    if len(request.events) == 1:
        failure.event_id = request.events[0].id
    return TurnReply(request_id=request.request_id, base=request.base, failed=failure)


def fault_of(request: TurnRequest, reply: TurnReply) -> str:
    """Return how a reply breaks the contract, or "" if it does not; JSON is not looked into."""
    if reply.base != request.base:
        return f"reply names base {reply.base.hex()}, the request had {request.base.hex()}"
    asked = [event.id for event in request.events[:]]
    taken = reply.taken_event_ids[:]
    parts = len(reply.mutations) + len(reply.outputs) + len(reply.messages) + len(reply.timers)
    if parts > MOST_PARTS:
        return f"reply has {parts} mutations, outputs, messages and timers; at most {MOST_PARTS}"
    if len(reply.usage) > MOST_USAGES:
        return (
            f"reply tells {len(reply.usage)} times what it used; at most {MOST_USAGES}: "
            "sum it up by model"
        )
    result = reply.WhichOneof("result")
    if result is None:
        return "reply has neither completed nor failed"
    if result == "completed" and taken != asked:
        return f"reply completes events {taken[:3]}, the request had {asked[:3]}"
    if result == "failed":
        wrong = fault_of_wait(reply.failed.retry_after_ms, "retry_after")
        if wrong:
            return f"the reply's {wrong}"
        if taken != asked[: len(taken)] or len(taken) == len(asked):
            return f"failed reply takes {taken[:3]}, not a proper prefix of {asked[:3]}"
        if reply.failed.event_id not in {"", asked[len(taken)]}:
            return (
                f"failed reply blames event {reply.failed.event_id!r}, "
                f"the first not taken is {asked[len(taken)]!r}"
            )
    pin = request.revision_pin
    if pin and reply.revision != pin and (result == "completed" or taken):
        # An older service behind the same endpoint must not take a pinned instance's turn.
        return f"reply is of revision {reply.revision!r}, the request is pinned to {pin!r}"
    return _fault_of_changes(reply) or plans.fault_of(reply)


def _fault_of_changes(reply: TurnReply) -> str:
    for mutation in reply.mutations[:]:
        name = mutation.name
        if not 1 <= len(name) <= plans.NAME_CHARS:
            return f"mutation name of {len(name)} characters; 1 to {plans.NAME_CHARS} are allowed"
        if mutation.WhichOneof("change") is None:
            return f"mutation of {name!r} says neither set, delete nor append"
    for number, output in enumerate(reply.outputs[:]):
        if not output.type:
            return f"output {number} has no type"
        wrong = fault_of_extensions(output.extensions)
        if wrong:
            return f"output {number} {wrong}"
    return ""


def _fault_of_data(reply: TurnReply) -> str:
    parts: dict[str, Sequence[Output | Message | TimerChange]] = {
        "output": reply.outputs[:],
        "message": reply.messages[:],
        "timer": reply.timers[:],
    }
    for what, given in parts.items():
        for number, part in enumerate(given):
            if part.data and render.is_json(part.datacontenttype):
                try:
                    # Strict, for it is passed on as it is: UTF-8 only, and no NaN, which JSON has
                    # not.
                    _STRICT.decode(part.data.decode())
                except (ValueError, RecursionError) as error:
                    return f"{what} {number} says it is JSON, but is not: {error}"
    return ""


def _fits_easily(call: Call, reply: TurnReply, max_record_bytes: int) -> bool:
    """Tell whether no limit is anywhere near; where this says so, ``_too_large`` finds nothing.

    Two sizes bound all the sums there: no part is larger than its whole; an output grows by the
    factor of its attributes at most; of the request its events are held, each by its reference
    (its id perhaps twice) and by one dead letter.
    """
    size = reply.ByteSize()
    limit = call.policy.max_state_bytes
    if limit and call.state_bytes + size > limit:
        return False
    grown = ATTRIBUTE_GROWTH * size + 4 * call.request.ByteSize() + ENVELOPE_BYTES
    return grown <= max_record_bytes


def _too_large(call: Call, reply: TurnReply, max_record_bytes: int) -> str:
    """Return which record would be over a limit. One that a sink cannot write would end the job."""
    size = reply.ByteSize() + ENVELOPE_BYTES
    size += sum(
        reference_to(event).ByteSize() + len(event.traceparent) + 16
        for event in call.request.events
    )
    if reply.HasField("failed"):
        # It may end as a dead letter, which holds the event.
        size += min(len(call.request.events[len(reply.taken_event_ids)].data), LETTER_BYTES)
    if size > max_record_bytes:
        return f"the turn's record would have {size} bytes; at most {max_record_bytes} are allowed"
    for number, output in enumerate(reply.outputs):
        attributes = output.ByteSize() - len(output.data)
        grown = len(output.data) + ATTRIBUTE_GROWTH * attributes + ENVELOPE_BYTES
        if not render.is_json(output.datacontenttype):
            grown += len(output.data) // 3
        if grown > max_record_bytes:
            return f"output {number} would have {grown} bytes; at most {max_record_bytes}"
    large = plans.too_large(reply, max_record_bytes - ENVELOPE_BYTES)
    if large:
        return large
    limit = call.policy.max_state_bytes
    if limit:
        grown = _growth(call, reply)
        total = call.state_bytes + grown
        if total > limit and grown > 0:
            return f"state would have {total} bytes; policy max_state allows {limit}"
    return ""


def _growth(call: Call, reply: TurnReply) -> int:
    """Return by how many bytes a reply makes its instance's state grow, names included.

    Of a list that is deleted only the part that travelled is known: less is taken off, not more.
    """
    state = call.request.state
    values = {name: len(name) + len(value) for name, value in state.values.items()}
    lists = {name: len(name) + sum(map(len, window.items)) for name, window in state.logs.items()}
    before = sum(values.values()) + sum(lists.values())
    for mutation in reply.mutations[:]:
        name = mutation.name
        match mutation.WhichOneof("change"):
            case "set":
                values[name] = len(name) + len(mutation.set)
            case "append":
                lists[name] = lists.get(name, len(name)) + len(mutation.append)
            case _:
                values.pop(name, None)
                lists.pop(name, None)
    return sum(values.values()) + sum(lists.values()) - before


def _fail(outcome: Outcome, call: Call, failure: Failure, *, prefix: int) -> None:
    request = call.request
    if failure.wants_whole_lists and not call.whole_lists:
        failed = Failed(code=failure.code, message=failure.message[:MESSAGE_CHARS])
        failed.wants_whole_lists = True
        outcome.failed.CopyFrom(failed)
        return
    # After a successful prefix the blamed event has had its first try, whatever the head's count
    # was.
    attempt = 1 if prefix else request.attempt
    batch = len(request.events) - prefix
    if batch == 1 and not failure.event_id:
        # There is only one it can have been.
        failure.event_id = request.events[prefix].id
    seed = digest("backoff", request.base, attempt)
    advice, delay = disposition(
        call.policy, failure, attempt=attempt, batch=len(request.events), seed=seed
    )
    code = failure.code
    if code == FAILURE_CODE_UNSPECIFIED or code not in _CODES:
        # An SDK that is newer than this Headgate may know more kinds of failure.
        code = FAILURE_CODE_AGENT_ERROR
    message = failure.message[:MESSAGE_CHARS]
    failed = Failed(code=code, message=message, names_event=bool(failure.event_id), batch=batch)
    event = request.events[prefix]
    if failed.names_event:
        failed.blamed = event.fingerprint
    if advice == ADVICE_PARK:
        failed.park = True
    elif advice == ADVICE_DEAD_LETTER:
        outcome.taken.append(reference_to(event))
        outcome.caused_at_us = max(outcome.caused_at_us, event.at_us)
        letter = letter_for_event(
            event,
            address_of(request.agent_type, request.key),
            reason=FailureCode.Name(code).removeprefix("FAILURE_CODE_").lower(),
            message=message,
            attempts=attempt,
            code=code,
        )
        failed.dead_letter.CopyFrom(letter)
    else:
        failed.retry_after_ms = delay
    outcome.failed.CopyFrom(failed)
