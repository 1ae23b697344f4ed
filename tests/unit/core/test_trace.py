"""Traces: whose a turn's is, what its span is called, what goes on to messages, timers, outputs."""

from __future__ import annotations

import json

import pytest

from headgate.core import trace
from headgate.core.machine import step
from headgate.core.model import Emit, EventArrived, Post, Snapshot, Surroundings
from headgate.core.outcome import outcome_of
from headgate.core.spent import busy_refusal_of
from headgate.v1.agent_pb2 import Event, Message, Output, TimerChange, TurnReply
from headgate.v1.turn_pb2 import Call, Controlled, InboxRecord, Outcome
from tests.unit.core.build import ADDRESS, NOW_MS, Host, call_of, decision_of, event, failed

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def traced(offset: int, traceparent: str = GIVEN, **extensions: str) -> Event:
    """Return an event that came with a trace."""
    made = event(offset)
    made.traceparent = traceparent
    for name, value in extensions.items():
        made.extensions[name] = value
    return made


def answered(call: Call, **parts: object) -> Outcome:
    """Return what Invoke makes of an answer that completes a call."""
    request = call.request
    reply = TurnReply(
        base=request.base,
        taken_event_ids=[each.id for each in request.events],
        **parts,  # type: ignore[arg-type]
    )
    reply.completed.SetInParent()
    return outcome_of(
        call, reply, outcome_id=b"o" * 16, called_us=1, answered_us=2, max_record_bytes=100_000
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (GIVEN, GIVEN),
        # A newer version may have more; what version 00 has is read and sent on as that.
        ("cc" + GIVEN[2:] + "-what-the-future-brings", GIVEN),
        ("ff" + GIVEN[2:], ""),
        (GIVEN + "-more", ""),
        (GIVEN.upper(), ""),
        ("00-" + "0" * 32 + GIVEN[35:], ""),
        (GIVEN[:36] + "0" * 16 + "-01", ""),
        ("00-1", ""),
        (GIVEN + "\n", ""),
        ("", ""),
    ],
)
def test_what_a_traceparent_is(given: str, read: str) -> None:
    """Version 00, or what a newer one has of it; lower case, no ids of zeros."""
    assert trace.valid(given) == read


def test_a_turn_is_in_its_events_trace_under_a_span_of_its_own() -> None:
    """Same trace and flags; the span is the base's first half."""
    request = call_of(Host().arrive(traced(0))).request
    assert request.traceparent == f"{GIVEN[:36]}{request.base[:8].hex()}-01"
    assert trace.span_id_of(request.traceparent) != trace.span_id_of(GIVEN)


def test_an_event_without_a_trace_begins_the_one_that_its_identity_names() -> None:
    """Sent again, or replayed, it is in the same trace. What is invalid is as nothing."""
    request = call_of(Host().arrive(event(0, event_id="e"))).request
    assert trace.trace_id_of(request.traceparent) == request.events[0].fingerprint.hex()
    again = call_of(Host().arrive(event(7, event_id="e"))).request
    assert again.traceparent == request.traceparent
    bad = event(0, event_id="e")
    bad.traceparent = "00-1"
    assert call_of(Host().arrive(bad)).request.traceparent == request.traceparent


def test_a_re_send_has_the_span_and_another_attempt_a_new_one() -> None:
    """A span is a turn's: a failed one has its own."""
    host = Host()
    first = call_of(host.arrive(traced(0)))
    host.now_ms += 60_000
    assert call_of(host.fire()).request.traceparent == first.request.traceparent
    second = call_of(host.read(failed(first)))
    assert second.request.traceparent[:36] == first.request.traceparent[:36]
    assert second.request.traceparent != first.request.traceparent


def test_the_outcome_knows_parent_and_links_even_where_nothing_was_taken() -> None:
    """A failed turn's span has a parent, too."""
    host = Host()
    call = call_of(host.arrive(traced(0)))
    host.arrive(event(1), traced(2, OTHER))
    call = call_of(host.read(answered(call)))
    assert [each.id for each in call.request.events] == ["shop/0/1", "shop/0/2"]
    reply = TurnReply(base=call.request.base)
    reply.failed.message = "no"
    made = outcome_of(
        call, reply, outcome_id=b"o" * 16, called_us=1, answered_us=2, max_record_bytes=100_000
    )
    assert list(made.taken) == []
    assert list(made.event_traceparents) == ["", OTHER]
    assert made.traceparent == call.request.traceparent


def test_outputs_messages_and_timers_carry_the_turns_span() -> None:
    """What comes of a turn is its child; tracestate goes along, as it came."""
    host = Host()
    call = call_of(host.arrive(traced(0, tracestate="vendor=1")))
    outcome = answered(
        call,
        outputs=[Output(type="o", extensions={"tracestate": "x", "traceparent": "y"})],
        messages=[Message(agent_type="billing", key="1", type="m")],
        timers=[TimerChange(name="t", after_ms=0)],
    )
    span = call.request.traceparent
    made = host.read(outcome)
    (emitted,) = [effect.value for effect in made.effects if isinstance(effect, Emit)]
    told = json.loads(emitted)
    assert (told["traceparent"], told["tracestate"]) == (span, "vendor=1")
    (posted,) = [effect.value for effect in made.effects if isinstance(effect, Post)]
    message = InboxRecord.FromString(posted).message.event
    assert (message.traceparent, message.extensions["tracestate"]) == (span, "vendor=1")
    host.now_ms += 60_000
    timer = call_of(host.fire()).request
    assert timer.events[0].traceparent == span
    assert (timer.traceparent[:36], timer.tracestate) == (span[:36], "vendor=1")


@pytest.mark.parametrize(
    ("traceparent", "tracestate"), [(GIVEN, "x" * 513), ("00-1", "vendor=1"), ("", "vendor=1")]
)
def test_a_tracestate_that_is_too_long_or_alone_goes_no_further(
    traceparent: str, tracestate: str
) -> None:
    """W3C: without a valid traceparent it means nothing."""
    request = call_of(Host().arrive(traced(0, traceparent, tracestate=tracestate))).request
    assert request.tracestate == ""


def test_whoever_began_a_trace_has_decided_whether_it_is_recorded() -> None:
    """A ratio is for traces that begin here; it decides by the id alone, as OpenTelemetry does."""
    low, high = event(0), event(1)
    low.fingerprint = b"\xff" * 8 + b"\x00" * 8
    high.fingerprint = b"\x00" * 7 + b"\x01" + b"\xff" * 8
    half = trace.bound_of(0.5)
    told = {
        name: trace.is_sampled(
            trace.span_of(each, b"b" * 16, is_taken=trace.takes(each.fingerprint, bound))
        )
        for name, each, bound in [
            ("low", low, half),
            ("high", high, half),
            ("none", low, trace.bound_of(0.0)),
            ("all", high, trace.bound_of(1.0)),
            ("sampled", traced(0), trace.bound_of(0.0)),
            ("not sampled", traced(0, OTHER), trace.bound_of(1.0)),
        ]
    }
    assert told == {
        "low": True,
        "high": False,
        "none": False,
        "all": True,
        "sampled": True,
        "not sampled": False,
    }


@pytest.mark.parametrize(("ratio", "flag"), [(1.0, "01"), (0.0, "00")])
def test_a_call_says_whether_the_ratio_leaves_its_trace_out(ratio: float, flag: str) -> None:
    host = Host()
    assert host.spec is not None
    around = Surroundings(NOW_MS, host.spec, sampled_below=trace.bound_of(ratio))
    made = step(Snapshot(ADDRESS, None, {}), EventArrived(event(0)), around)
    call = call_of(made)
    assert call.untraced == (flag == "00")
    assert call.request.traceparent.endswith(f"-{flag}")


def test_a_skipped_event_has_a_span_and_other_controls_have_none() -> None:
    """Whoever looks the event up finds how it ended."""
    host = Host()
    host.read(failed(call_of(host.arrive(traced(0))), park=True))
    skipped = decision_of(host.wish(Controlled.SKIP))
    assert skipped.traceparent == f"{GIVEN[:36]}{skipped.base[:8].hex()}-01"
    assert list(skipped.event_traceparents) == [GIVEN]
    reset = decision_of(Host().wish(Controlled.RESET))
    assert (reset.traceparent, list(reset.event_traceparents)) == ("", [])


def test_a_turn_that_a_budget_refuses_has_a_span() -> None:
    """No call is made, and yet the event's trace says why it waits."""
    call = call_of(Host().arrive(traced(0)))
    asked = Call.FromString(call.SerializeToString())
    # As Gate asks for it: whoever makes the call, or not, makes the span.
    asked.request.traceparent = ""
    refused = busy_refusal_of(asked)
    assert refused.traceparent == call.request.traceparent
    assert list(refused.event_traceparents) == [GIVEN]
