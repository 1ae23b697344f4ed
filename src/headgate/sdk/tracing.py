"""Spans of handlers, where the service has OpenTelemetry configured (`headgate[sdk,tracing]`).

The turn's own span is Headgate's (`headgate trace export`). A handler runs within a span of the
service's, its child, so that whatever the handler's libraries record is in the turn's trace:

    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    trace.set_tracer_provider(TracerProvider())  # with a processor and an exporter
    serve(agent)

Nothing is imported here: a service that has configured OpenTelemetry has imported it, and one that
has not pays for one look into a dict.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from typing import Any

from headgate.v1 import agent_pb2 as pb

_NOTHING = nullcontext()


def handling(request: pb.TurnRequest, event: pb.Event) -> AbstractContextManager[Any]:
    """Return what an event's handler is to run within."""
    otel = _configured()
    return _NOTHING if otel is None or not request.traceparent else _span(otel, request, event)


def in_this_context(call: Any) -> Any:
    """Return a call that sees the span of its handler, for another thread to make."""
    if _configured() is None:
        return call
    context = copy_context()

    def run(*arguments: Any) -> Any:
        return context.run(call, *arguments)

    return run


def headers_of(request: pb.TurnRequest) -> dict[str, str]:
    """Return the W3C headers of a call that a handler makes."""
    otel = _configured()
    if otel is not None:
        current = otel.get_current_span().get_span_context()
        if current.is_valid:
            found = {
                "traceparent": f"00-{current.trace_id:032x}-{current.span_id:016x}"
                f"-{int(current.trace_flags):02x}"
            }
            state = current.trace_state.to_header()
            return found | ({"tracestate": state} if state else {})
    if not request.traceparent:
        return {}
    found = {"traceparent": request.traceparent}
    return found | ({"tracestate": request.tracestate} if request.tracestate else {})


def _configured() -> Any:
    """Return OpenTelemetry's `trace` where a provider has been set, else None."""
    otel = sys.modules.get("opentelemetry.trace")
    if otel is None or isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider):
        return None
    return otel


@contextmanager
def _span(otel: Any, request: pb.TurnRequest, event: pb.Event) -> Iterator[None]:
    _, trace_id, span_id, flags = request.traceparent.split("-")
    state = request.tracestate
    parent = otel.SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=otel.TraceFlags(int(flags, 16)),
        trace_state=otel.TraceState.from_header([state]) if state else None,
    )
    # An exception is the handler's outcome and goes on to the turn; the span notes it and fails.
    with otel.get_tracer("headgate.sdk").start_as_current_span(
        f"handle {event.type}",
        context=otel.set_span_in_context(otel.NonRecordingSpan(parent)),
        kind=otel.SpanKind.SERVER,
        attributes={
            "gen_ai.agent.name": request.agent_type,
            "gen_ai.conversation.id": f"{request.agent_type}/{request.key}",
            "headgate.address": f"{request.agent_type}/{request.key}",
            "headgate.turn": request.turn,
            "headgate.attempt": request.attempt,
            "headgate.event.id": event.id,
        },
    ):
        yield
