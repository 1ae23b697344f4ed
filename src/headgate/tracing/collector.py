"""The collector: an OTLP exporter of OpenTelemetry's, as headgate.toml and the environment say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from headgate.config.tracing import TracingConfig
from headgate.tracing.errors import ExportError

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

TRACES_PATH = "/v1/traces"


class Collector(Protocol):
    """Takes spans; may be asked again with the same ones."""

    def take(self, spans: Sequence[ReadableSpan]) -> bool:
        """Send spans and tell whether they were taken. Tries for ten seconds at most by itself."""

    def close(self) -> None:
        """Disconnect."""


class OtlpCollector:
    """A collector that speaks OTLP, over gRPC or HTTP."""

    def __init__(self, config: TracingConfig) -> None:
        """Make the exporter; it connects with the first spans.

        Raises:
            ExportError: a package is not installed, or the headers' file cannot be read.
        """
        protocol = config.protocol or os.environ.get(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        )
        headers = _headers(config.headers_file) if config.headers_file else None
        try:
            from opentelemetry.sdk.trace.export import SpanExportResult

            if protocol == "grpc":
                from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_exporter

                # A prefix says whether TLS is used; metadata keys of gRPC are lower case.
                lower = {name.lower(): value for name, value in (headers or {}).items()}
                self._exporter: _Exporter = grpc_exporter.OTLPSpanExporter(
                    endpoint=config.endpoint, headers=lower or None
                )
            elif protocol == "http/protobuf":
                from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_exporter

                endpoint = config.endpoint
                if endpoint and urlsplit(endpoint).path in {"", "/"}:
                    endpoint = endpoint.rstrip("/") + TRACES_PATH
                self._exporter = http_exporter.OTLPSpanExporter(endpoint=endpoint, headers=headers)
            else:
                message = f"OTLP is spoken over grpc and http/protobuf here, not over {protocol!r}"
                raise ExportError(message)
        except ImportError as error:
            message = "OpenTelemetry is not installed: pip install 'headgate[tracing]'"
            raise ExportError(message) from error
        self._success = SpanExportResult.SUCCESS

    def take(self, spans: Sequence[ReadableSpan]) -> bool:
        """Send spans and tell whether they were taken."""
        return self._exporter.export(spans) == self._success

    def close(self) -> None:
        """Disconnect."""
        self._exporter.shutdown()


class _Exporter(Protocol):
    def export(self, spans: Sequence[ReadableSpan]) -> object: ...

    def shutdown(self) -> None: ...


def resource_of(config: TracingConfig, job: str) -> Resource:
    """Return who speaks: `tracing.service`, else OTEL_SERVICE_NAME, else headgate; and the job."""
    from opentelemetry.sdk.resources import Resource

    told = {"headgate.job": job}
    if config.service:
        told["service.name"] = config.service
    made = Resource.create(told)
    if str(made.attributes.get("service.name", "")).startswith("unknown_service"):
        made = made.merge(Resource({"service.name": "headgate"}))
    return made


def _headers(path: str) -> dict[str, str]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"tracing.headers_file cannot be read: {error}"
        raise ExportError(message) from error
    headers = {}
    for number, line in enumerate(lines, start=1):
        name, equals, value = line.partition("=")
        if not line.strip() or line.startswith("#"):
            continue
        if not equals or not name.strip():
            # The line may hold a secret: it is not repeated.
            message = f"tracing.headers_file: line {number} of {path} is not NAME=VALUE"
            raise ExportError(message)
        headers[name.strip()] = value.strip()
    return headers
