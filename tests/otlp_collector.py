"""An OTLP collector for tests: gRPC and HTTP, with the stubs of opentelemetry-proto."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from headgate.local.ports import LOOPBACK

WAIT_SECONDS = 120.0


@dataclass
class Took:
    """What has come, in order."""

    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    # Asked before spans are taken: False refuses them.
    takes: Callable[[], bool] = lambda: True
    # Called after they were taken, before the answer goes out.
    before_answer: Callable[[], None] = lambda: None
    refused: int = 0

    def __post_init__(self) -> None:
        self._came = threading.Condition()

    def take(self, request: pb.ExportTraceServiceRequest, headers: dict[str, str]) -> bool:
        """Take an export in."""
        with self._came:
            self.headers.append(headers)
            if not self.takes():
                self.refused += 1
                self._came.notify_all()
                return False
            for part in request.resource_spans:
                self.resources.append(
                    {each.key: each.value.string_value for each in part.resource.attributes}
                )
                for scope in part.scope_spans:
                    self.spans.extend(scope.spans)
            self._came.notify_all()
        self.before_answer()
        return True

    def await_found(self, is_there: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        with self._came:
            assert self._came.wait_for(is_there, WAIT_SECONDS), f"{what}: {self.counts()}"

    def counts(self) -> Counter[str]:
        """Return how often each span came, by its id."""
        return Counter(span.span_id.hex() for span in [*self.spans])


class _Service(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, took: Took) -> None:
        self._took = took

    def Export(  # noqa: N802 - gRPC's name
        self, request: pb.ExportTraceServiceRequest, context: Any
    ) -> pb.ExportTraceServiceResponse:
        headers = {str(k): str(v) for k, v in context.invocation_metadata()}
        if not self._took.take(request, headers):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no")
        return pb.ExportTraceServiceResponse()


@contextmanager
def grpc_collector(port: int = 0) -> Iterator[tuple[Took, str]]:
    """Serve OTLP over gRPC; yields what came, and the URL."""
    took = Took()
    server = grpc.server(ThreadPoolExecutor(4))
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(_Service(took), server)
    port = server.add_insecure_port(f"{LOOPBACK}:{port}")
    server.start()
    try:
        yield took, f"http://{LOOPBACK}:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def http_collector() -> Iterator[tuple[Took, str]]:
    """Serve OTLP over HTTP; yields what came, and the URL."""
    took = Took()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_ours = self.path == "/v1/traces"
            request = pb.ExportTraceServiceRequest.FromString(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            took_it = is_ours and took.take(request, headers)
            self.send_response(200 if took_it else 400)
            self.end_headers()
            self.wfile.write(pb.ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield took, f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
