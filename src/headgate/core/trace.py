"""The trace context of turns, by W3C Trace Context: which trace a turn is in, and what its span is
called. Rule 17 of the protocol.

Both are functions of what the journal and the event say, so that a re-send, another attempt's
repeat and every replay name the same span:

- The trace is that of the turn's first event. An event that came with none, or with one that is not
  valid, begins a trace that its fingerprint names: the same event, sent again, is in the same one.
- The span is the first half of the base that the turn builds on. No base is used twice, and each is
  a hash over the instance's address and all its turns; a failed attempt makes a new one.
"""

from __future__ import annotations

import re

from headgate.v1.agent_pb2 import Event, TurnRequest
from headgate.v1.turn_pb2 import Call, Outcome

SPAN_BYTES = 8

ALWAYS = 1 << 64
"""Sampling bound of a ratio of 1."""

TRACESTATE_CHARS = 512
"""Longest tracestate that is passed on; W3C asks for that much. A longer one is dropped, whole."""

_VALID = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NEWER = re.compile(
    r"(?!00|ff)[0-9a-f]{2}(-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?"
)


def valid(traceparent: str) -> str:
    """Return a traceparent in version 00, "" if it is none.

    >>> valid("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    >>> valid("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")
    ''
    """
    if _VALID.fullmatch(traceparent):
        return traceparent
    newer = _NEWER.fullmatch(traceparent)
    return f"00{newer[1]}" if newer else ""


def trace_id_of(traceparent: str) -> str:
    """Return the trace of a valid traceparent, 32 hex digits."""
    return traceparent[3:35]


def span_id_of(traceparent: str) -> str:
    """Return the span of a valid traceparent, 16 hex digits."""
    return traceparent[36:52]


def is_sampled(traceparent: str) -> bool:
    """Tell whether a valid traceparent says that its trace is recorded."""
    return int(traceparent[53:], 16) & 1 == 1


def unsampled(traceparent: str) -> str:
    """Return a traceparent with no flag set, "" for one that is not valid.

    >>> unsampled("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00'
    """
    given = valid(traceparent)
    return f"{given[:53]}00" if given else ""


def bound_of(ratio: float) -> int:
    """Return the sampling bound of a ratio of traces, 0 to 1.

    Of OpenTelemetry's samplers by ratio: a trace is taken if the lower half of its id is below.
    """
    return round(ratio * ALWAYS)


def takes(fingerprint: bytes, sampled_below: int) -> bool:
    """Tell whether a trace that an event's fingerprint names is recorded, by a sampling bound."""
    return sampled_below == ALWAYS or int.from_bytes(fingerprint[-8:], "big") < sampled_below


def span_of(event: Event, base: bytes, *, is_taken: bool) -> str:
    """Return the traceparent of the turn that builds on a base and whose first event this is.

    is_taken: whether it is recorded where the event came without a trace.
    """
    span = base[:SPAN_BYTES].hex()
    said = event.traceparent
    given = valid(said) if said else ""
    if given:
        return f"{given[:36]}{span}{given[52:]}"
    return f"00-{event.fingerprint.hex()}-{span}-{'01' if is_taken else '00'}"


def begin(call: Call) -> None:
    """Give a call's request the span of its base, and what its first event's tracestate said.

    Not Gate does so but Invoke, which has a thread of its own: it is made of the request alone.
    """
    request = call.request
    if request.traceparent or not request.events:
        return
    event = request.events[0]
    request.traceparent = span_of(event, request.base, is_taken=not call.untraced)
    if event.traceparent and "tracestate" in event.extensions:
        state = event.extensions["tracestate"]
        if len(state) <= TRACESTATE_CHARS and valid(event.traceparent):
            request.tracestate = state


def carry(request: TurnRequest, events: list[Event], outcome: Outcome) -> None:
    """Let an outcome say its turn's span, and those that its request's events came with."""
    outcome.traceparent = request.traceparent
    if request.tracestate:
        outcome.tracestate = request.tracestate
    note_parents(outcome, events)


def note_parents(outcome: Outcome, events: list[Event]) -> None:
    """Let an outcome say which spans its events came with."""
    for event in events:
        if event.traceparent:
            outcome.event_traceparents.extend([valid(each.traceparent) for each in events])
            return
