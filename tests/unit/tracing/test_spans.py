"""The span of a turn: names of the GenAI conventions, times, parents, links, failures; marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from headgate.config import loads
from headgate.config.tracing import TracingConfig
from headgate.core.trace import span_of as traceparent_of
from headgate.errors import ConfigError
from headgate.tracing.collector import OtlpCollector, resource_of
from headgate.tracing.errors import ExportError
from headgate.tracing.mark import Mark
from headgate.tracing.spans import span_of
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_DEADLINE_EXCEEDED,
    Event,
    Usage,
)
from headgate.v1.turn_pb2 import Controlled, EventRef, HistoryRecord
from tests.otlp_collector import grpc_collector, http_collector

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
BASE = bytes(range(16))
SECOND = 1_000_000
RESOURCE = Resource({"service.name": "headgate"})


def turn(traceparent: str = GIVEN, **fields: Any) -> HistoryRecord:
    """Return the record of a turn: its event came at 1 s, it was called at 3 s, answered at 6 s."""
    record = HistoryRecord(at_us=10 * SECOND, journal_ms=10_000, journal_offset=5)
    outcome = record.outcome
    outcome.agent_type, outcome.key, outcome.turn, outcome.attempt = "order", "17", 4, 1
    outcome.base = BASE
    outcome.asked_us, outcome.called_us, outcome.answered_us = 2 * SECOND, 3 * SECOND, 6 * SECOND
    ref = EventRef(id="e1")
    ref.origin.timestamp_ms = 1_000
    outcome.taken.append(ref)
    outcome.traceparent = traceparent_of(Event(traceparent=traceparent), BASE, is_taken=True)
    outcome.event_traceparents.extend([traceparent])
    outcome.completed.SetInParent()
    for name, value in fields.items():
        setattr(outcome, name, value)
    return record


def told(record: HistoryRecord) -> ReadableSpan:
    """Return the span that a record must have."""
    span = span_of(record, RESOURCE)
    assert span is not None
    return span


def test_nonsense_for_tokens_is_a_number_that_otlp_has() -> None:
    record = turn()
    record.outcome.usage.append(Usage(input_tokens=2**64 - 1, output_tokens=2**64 - 1))
    attributes = told(record).attributes or {}
    assert attributes["gen_ai.usage.input_tokens"] == 2**63 - 1
    assert attributes["gen_ai.usage.output_tokens"] == 2**63 - 1


def test_a_turn_is_an_invoke_agent_span() -> None:
    """Names of the conventions; child of its event's span; from the call's begin to its end."""
    record = turn(revision="v2", tenant="acme", cost_nanos=12, stand_in="cheap")
    record.outcome.usage.append(Usage(model="small", input_tokens=5, output_tokens=7))
    record.outcome.usage.append(Usage(model="small", input_tokens=1))
    span = told(record)
    assert (span.name, span.kind) == ("invoke_agent order", SpanKind.CLIENT)
    assert span.context is not None and span.parent is not None
    assert f"{span.context.trace_id:032x}" == GIVEN[3:35]
    assert f"{span.context.span_id:016x}" == BASE[:8].hex()
    assert f"{span.parent.span_id:016x}" == GIVEN[36:52]
    assert (span.start_time, span.end_time) == (3 * SECOND * 1_000, 6 * SECOND * 1_000)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "headgate",
        "gen_ai.agent.name": "order",
        "gen_ai.agent.version": "v2",
        "gen_ai.conversation.id": "order/17",
        "gen_ai.request.model": "small",
        "gen_ai.usage.input_tokens": 6,
        "gen_ai.usage.output_tokens": 7,
        "headgate.address": "order/17",
        "headgate.turn": 4,
        "headgate.attempt": 1,
        "headgate.tenant": "acme",
        "headgate.cost_nanos": 12,
        "headgate.stand_in": "cheap",
        "headgate.events": 1,
        "headgate.event.id": "e1",
        "headgate.outputs": 0,
        "headgate.messages": 0,
        "headgate.verdict": "completed",
        "headgate.wait.mailbox": 1.0,
        "headgate.wait.call": 1.0,
        "headgate.wait.journal": 4.0,
    }


def test_a_failed_turn_is_an_error_and_says_no_more_than_its_kind() -> None:
    """A failure's message may hold what users wrote."""
    record = turn()
    failed = record.outcome.failed
    failed.code, failed.message, failed.park = FAILURE_CODE_AGENT_ERROR, "secret", True
    span = told(record)
    attributes = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.ERROR
    assert (attributes["error.type"], attributes["headgate.then"]) == ("agent_error", "park")
    assert "secret" not in span.to_json()
    failed.code = 99  # type: ignore[assignment]
    assert dict(told(record).attributes or {})["error.type"] == "_OTHER"


def test_a_turn_that_only_asks_for_its_lists_is_no_error() -> None:
    """Nobody is to blame."""
    record = turn()
    record.outcome.failed.wants_whole_lists = True
    assert told(record).status.status_code is StatusCode.UNSET


def test_a_turn_without_a_call_lasts_from_its_request_to_its_outcome() -> None:
    """The agent is unknown, say."""
    record = turn(called_us=0)
    record.outcome.failed.code = FAILURE_CODE_DEADLINE_EXCEEDED
    span = told(record)
    assert (span.start_time, span.end_time) == (2 * SECOND * 1_000, 6 * SECOND * 1_000)


def test_other_events_of_the_batch_are_links() -> None:
    """The first is the parent, those without a trace are nothing."""
    record = turn()
    record.outcome.event_traceparents.extend(["", OTHER])
    (link,) = told(record).links
    assert f"{link.context.trace_id:032x}" == OTHER[3:35]
    del record.outcome.event_traceparents[:]
    assert told(record).parent is None


def test_what_is_not_sampled_has_no_span() -> None:
    """Nor has an outcome of a version that handed its event's span on."""
    assert span_of(turn(OTHER), RESOURCE) is None
    old = turn()
    old.outcome.traceparent = GIVEN
    assert span_of(old, RESOURCE) is None
    old.outcome.traceparent = ""
    assert span_of(old, RESOURCE) is None


def test_a_skip_has_a_span_of_its_own_name() -> None:
    """An operator gave the event up."""
    record = turn(called_us=0, answered_us=0, asked_us=0)
    record.outcome.controlled.verb = Controlled.SKIP
    span = told(record)
    assert (span.name, span.status.status_code) == ("headgate.skip", StatusCode.ERROR)
    assert span.start_time == span.end_time == 10 * SECOND * 1_000


def test_turns_that_are_written_again_are_repeats() -> None:
    """Also those of one record of the journal, of which a part had been passed."""

    def at(offset: int) -> HistoryRecord:
        return HistoryRecord(journal_offset=offset)

    mark, seen = Mark(0), []
    for offset in (3, 3, 5, 3, 3, 5, 5, 7):
        mark, is_repeat = mark.pass_turn(at(offset))
        # As after a restart: what is kept says all.
        mark = Mark.of(9, mark.to_text("id"), "id") or pytest.fail("not read")
        seen.append(is_repeat)
    assert seen == [False, False, False, True, True, True, False, False]
    assert Mark.of(9, mark.to_text("id"), "other") is None
    assert Mark.of(9, "", "id") is None


def test_both_wires_with_headers_from_a_file(tmp_path: Path) -> None:
    """gRPC and HTTP; secrets are in a file, not in headgate.toml."""
    headers = tmp_path / "headers"
    headers.write_text("# for the collector\nX-Key=s3cret\n\n", encoding="utf-8")
    for serve, protocol in ((grpc_collector, "grpc"), (http_collector, "http/protobuf")):
        with serve() as (took, url):
            text = f'[tracing]\nendpoint="{url}"\nprotocol="{protocol}"\nservice="shop"\n'
            config = loads(text + f'headers_file="{headers}"').tracing
            collector = OtlpCollector(config)
            record = turn()
            span = span_of(record, resource_of(config, "job"))
            assert span is not None
            assert collector.take([span])
            collector.close()
        (came,) = took.spans
        assert came.span_id == BASE[:8]
        assert took.headers[0]["x-key"] == "s3cret"
        assert took.resources[0]["service.name"] == "shop"


def test_the_environment_says_what_the_file_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of OpenTelemetry's specification."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with http_collector() as (took, url):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        collector = OtlpCollector(TracingConfig())
        assert collector.take([told(turn())])
        collector.close()
    assert took.counts() == {BASE[:8].hex(): 1}
    attributes = resource_of(TracingConfig(), "job").attributes
    assert attributes["service.name"] == "headgate"
    assert attributes["deployment.environment.name"] == "test"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "elsewhere")
    assert resource_of(TracingConfig(), "job").attributes["service.name"] == "elsewhere"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier pigeon")
    with pytest.raises(ExportError, match="carrier pigeon"):
        OtlpCollector(TracingConfig())


def test_errors_name_the_place_and_hold_no_secret(tmp_path: Path) -> None:
    """Neither of a file of headers nor of a URL."""
    headers = tmp_path / "headers"
    headers.write_text("fine=1\ns3cret\n", encoding="utf-8")
    with pytest.raises(ExportError, match="line 2 of") as caught:
        OtlpCollector(TracingConfig(headers_file=str(headers)))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"2: tracing\.endpoint") as refused:
        loads('[tracing]\nendpoint = "http://me:s3cret@collector:4317"\n')
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"called_us": 2**63 - 1},
        {"called_us": -5, "answered_us": -3},
        {"called_us": 0, "answered_us": 0, "asked_us": -7},
        {"answered_us": 2**63 - 1},
        {"turn": 2**64 - 1},
    ],
)
def test_nonsense_for_times_is_a_span_that_otlp_can_say(fields: dict[str, Any]) -> None:
    span = told(turn(**fields))
    encode_spans([span])
    assert span.start_time is not None and span.end_time is not None
    assert 0 <= span.start_time <= span.end_time < 2**63


def test_a_parent_that_is_none_is_left_out() -> None:
    record = turn()
    record.outcome.event_traceparents[:] = ["nonsense", OTHER, "00-x"]
    span = told(record)
    assert span.parent is None
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [OTHER[3:35]]


def test_a_control_of_a_newer_version_is_a_span_too() -> None:
    record = turn()
    record.outcome.controlled.verb = 99  # type: ignore[assignment]
    assert (told(record).attributes or {})["error.type"] == "_OTHER"


def test_models_with_long_names_do_not_make_a_span_that_no_collector_takes() -> None:
    record = turn()
    for number in range(100):
        record.outcome.usage.append(Usage(model=f"{number:03}" + "m" * 100_000))
    assert len(encode_spans([told(record)]).SerializeToString()) < 10_000
