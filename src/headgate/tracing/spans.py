"""The span of a turn, from its record in the history. A function of the record alone: read again,
it is the same span.

Names are those of OpenTelemetry's GenAI conventions (in development there; docs/tracing.md says
which), what they have no name for is `headgate.*`. No payload and no message of a failure goes out:
both may hold what users wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from headgate.core import trace
from headgate.core.calls import MODEL_CHARS
from headgate.core.identity import address_of
from headgate.v1.agent_pb2 import FailureCode, Usage
from headgate.v1.turn_pb2 import Controlled, HistoryRecord, Outcome

Value = str | int | float | Sequence[str]

MODELS = 20
"""Models that a span names at most: a collector refuses what is larger than 4 MB."""

_MOST = 2**63 - 1
"""Largest whole number of an attribute: one beyond it is left out of its span, with a stack trace
in the log.
"""

_LATEST_US = _MOST // 1_000
"""Times of spans are nanoseconds."""

_OTHER = "_OTHER"
"""The conventions' word for an error type that has no name here."""

SCOPE = InstrumentationScope("headgate")


def span_of(record: HistoryRecord, resource: Resource) -> ReadableSpan | None:
    """Return the span of a turn; None where its trace is not recorded, or it has none."""
    outcome = record.outcome
    own = trace.valid(outcome.traceparent)
    # Outcomes of versions that handed the event's span on as it was have no span of their own.
    if not own or trace.span_id_of(own) != outcome.base[: trace.SPAN_BYTES].hex():
        return None
    if not trace.is_sampled(own):
        return None
    # Whoever can write the journal can write anything here, and the export must not end with it.
    parent, *others = [trace.valid(each) for each in outcome.event_traceparents] or [""]
    begin_us, end_us = _times(record)
    fault = _fault(outcome)
    is_call = not outcome.HasField("controlled")
    return ReadableSpan(
        name=f"invoke_agent {outcome.agent_type}" if is_call else "headgate.skip",
        context=_context(own, is_remote=False),
        parent=_context(parent) if parent else None,
        resource=resource,
        attributes=_attributes(record, fault),
        links=[Link(_context(each)) for each in others if each],
        kind=SpanKind.CLIENT if is_call else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR) if fault else Status(StatusCode.UNSET),
        start_time=begin_us * 1_000,
        end_time=end_us * 1_000,
        instrumentation_scope=SCOPE,
    )


def _context(traceparent: str, *, is_remote: bool = True) -> SpanContext:
    return SpanContext(
        int(trace.trace_id_of(traceparent), 16),
        int(trace.span_id_of(traceparent), 16),
        is_remote=is_remote,
        trace_flags=TraceFlags(int(traceparent[53:], 16)),
    )


def _times(record: HistoryRecord) -> tuple[int, int]:
    """Return when the call began and ended, microseconds; where none was made, when it was asked
    for and decided.
    """
    outcome = record.outcome
    decided = outcome.answered_us or record.journal_ms * 1_000
    begin = outcome.called_us or min(outcome.asked_us or decided, decided)
    begin = min(max(begin, 0), _LATEST_US)
    return begin, min(max(begin, decided), _LATEST_US)


def _fault(outcome: Outcome) -> str:
    """Return `error.type` of a turn, "" if it is no error."""
    match outcome.WhichOneof("verdict"):
        case "failed" if not outcome.failed.wants_whole_lists:
            code = outcome.failed.code
            if code not in FailureCode.values():
                return _OTHER
            return FailureCode.Name(code).removeprefix("FAILURE_CODE_").lower()
        case "controlled":
            verb = outcome.controlled.verb
            return (
                Controlled.Verb.Name(verb).lower() if verb in Controlled.Verb.values() else _OTHER
            )
        case _:
            return ""


def _attributes(record: HistoryRecord, fault: str) -> Mapping[str, Value]:
    outcome = record.outcome
    address = address_of(outcome.agent_type, outcome.key)
    told: dict[str, Value] = {
        "gen_ai.agent.name": outcome.agent_type,
        "gen_ai.conversation.id": address,
        "headgate.address": address,
        "headgate.turn": min(outcome.turn, _MOST),
        "headgate.attempt": outcome.attempt,
        "headgate.events": len(outcome.taken),
        "headgate.outputs": len(outcome.outputs),
        "headgate.messages": len(outcome.messages),
        "headgate.verdict": outcome.WhichOneof("verdict") or "none",
    }
    if not outcome.HasField("controlled"):
        told["gen_ai.operation.name"] = "invoke_agent"
        told["gen_ai.provider.name"] = "headgate"
    if outcome.revision:
        told["gen_ai.agent.version"] = outcome.revision
    if outcome.taken:
        told["headgate.event.id"] = outcome.taken[0].id
    if outcome.tenant:
        told["headgate.tenant"] = outcome.tenant
    if outcome.stand_in:
        told["headgate.stand_in"] = outcome.stand_in
    if outcome.cost_nanos:
        # In 1e-9 of the currency of headgate.toml.
        told["headgate.cost_nanos"] = outcome.cost_nanos
    if fault:
        told["error.type"] = fault
    if outcome.HasField("failed"):
        told["headgate.then"] = outcome.failed.WhichOneof("disposition") or "retry_after_ms"
    return told | _waits(record) | _usage(outcome.usage)


def _waits(record: HistoryRecord) -> dict[str, Value]:
    """Return how long the turn waited, and for what, seconds; 0 where two clocks differ."""
    outcome = record.outcome
    arrived = [ref.origin.timestamp_ms for ref in outcome.taken if ref.HasField("origin")]
    moments: dict[str, tuple[int, int]] = {
        # For the turns before it, and for retries.
        "headgate.wait.mailbox": (min(arrived, default=0) * 1_000, outcome.asked_us),
        # For a connection, a free place among the calls in flight, the rate.
        "headgate.wait.call": (outcome.asked_us, outcome.called_us),
        # For the journal.
        "headgate.wait.journal": (outcome.answered_us, record.journal_ms * 1_000),
    }
    return {
        name: max(0, end - begin) / 1_000_000
        for name, (begin, end) in moments.items()
        if begin and end
    }


def _usage(entries: Sequence[Usage]) -> dict[str, Value]:
    if not entries:
        return {}
    told: dict[str, Value] = {
        "gen_ai.usage.input_tokens": min(sum(each.input_tokens for each in entries), _MOST),
        "gen_ai.usage.output_tokens": min(sum(each.output_tokens for each in entries), _MOST),
    }
    models = list(dict.fromkeys(each.model[:MODEL_CHARS] for each in entries if each.model))
    del models[MODELS:]
    if len(models) == 1:
        told["gen_ai.request.model"] = models[0]
    elif models:
        told["headgate.models"] = models
    return told
