"""Spans of handlers: children of the turn's, around whatever they do; none where nobody asked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from headgate.sdk import Agent, Event, Turn
from headgate.sdk.run import run, run_inline
from headgate.v1 import agent_pb2 as pb

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """OpenTelemetry, configured as a service would; what it records."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


def request(traceparent: str = PARENT, events: int = 1) -> pb.TurnRequest:
    return pb.TurnRequest(
        agent_type="order",
        key="17",
        turn=4,
        attempt=2,
        traceparent=traceparent,
        tracestate="vendor=1" if traceparent else "",
        events=[pb.Event(id=f"e{n}", type="shop.paid") for n in range(events)],
    )


def agent(seen: list[dict[str, str]], kind: str) -> Agent:  # type: ignore[type-arg]
    made = Agent("order")

    def plain(turn: Turn, event: Event) -> None:  # type: ignore[type-arg]
        with trace.get_tracer("library").start_as_current_span("query"):
            seen.append(turn.trace_headers())
        if event.id == "e1":
            message = "no such cake"
            raise KeyError(message)

    async def later(turn: Turn, event: Event) -> None:  # type: ignore[type-arg]
        await asyncio.sleep(0)
        plain(turn, event)

    if kind == "async":
        made.on("*")(later)
    else:
        made.on("*", threads=kind == "threads")(plain)
    return made


def play(kind: str, asked: pb.TurnRequest, seen: list[dict[str, str]]) -> pb.TurnReply:
    if kind == "plain":
        return run_inline(agent(seen, kind), asked)
    with ThreadPoolExecutor(1) as pool:
        return asyncio.run(run(agent(seen, kind), asked, pool=pool))


@pytest.mark.parametrize("kind", ["plain", "async", "threads"])
def test_a_handler_runs_in_a_span_below_the_turns(
    recorded: InMemorySpanExporter, kind: str
) -> None:
    seen: list[dict[str, str]] = []
    assert play(kind, request(), seen).HasField("completed")
    query, handler = recorded.get_finished_spans()
    assert (handler.name, handler.kind) == ("handle shop.paid", SpanKind.SERVER)
    assert handler.parent is not None and query.parent is not None and query.context is not None
    assert f"{handler.parent.trace_id:032x}-{handler.parent.span_id:016x}" == PARENT[3:52]
    assert query.parent == handler.context
    assert dict(handler.attributes or {})["headgate.address"] == "order/17"
    # What a handler calls is below the span that it is in.
    span = f"00-{PARENT[3:35]}-{query.context.span_id:016x}-01"
    assert seen == [{"traceparent": span, "tracestate": "vendor=1"}]


def test_a_handler_that_raises_fails_its_span_and_its_turn(recorded: InMemorySpanExporter) -> None:
    assert play("async", request(events=3), []).HasField("failed")
    handlers = [s for s in recorded.get_finished_spans() if s.name.startswith("handle")]
    assert [s.status.status_code for s in handlers] == [StatusCode.UNSET, StatusCode.ERROR]


@pytest.mark.parametrize("traceparent", ["", PARENT[:-2] + "00"])
def test_what_is_not_recorded_by_headgate_is_not_recorded_here(
    recorded: InMemorySpanExporter, traceparent: str
) -> None:
    """An older Headgate gives no trace; a trace that is not sampled is nobody's."""
    play("plain", request(traceparent), [])
    names = [span.name for span in recorded.get_finished_spans()]
    assert names == ([] if traceparent else ["query"])


@pytest.mark.parametrize("kind", ["plain", "async", "threads"])
def test_without_opentelemetry_the_turns_context_is_passed_on(kind: str) -> None:
    seen: list[dict[str, str]] = []
    play(kind, request(), seen)
    assert seen == [{"traceparent": PARENT, "tracestate": "vendor=1"}]
    play(kind, request(""), seen)
    assert seen[1:] == [{}]


def test_a_service_that_has_not_configured_it_does_not_even_import_it() -> None:
    code = "import sys, headgate.sdk; sys.exit('opentelemetry' in sys.modules)"
    check: Callable[..., object] = subprocess.check_call
    assert check([sys.executable, "-c", code]) == 0
