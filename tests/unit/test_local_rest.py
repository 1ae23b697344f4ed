"""Flink's REST API where Flink itself stumbles."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from headgate.local import rest as rest_module
from headgate.local.ports import LOOPBACK
from headgate.local.rest import FlinkRest, FlinkUnreachableError

STATISTICS = b'{"counts": {"completed": 4}}'


class Flink(HTTPServer):
    """Answers with one status after the other, the last one for ever."""

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.statuses = [200]
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        flink = self.server
        assert isinstance(flink, Flink)
        flink.asked.append(self.path)
        status = flink.statuses.pop(0) if len(flink.statuses) > 1 else flink.statuses[0]
        said = STATISTICS if status == 200 else b'{"errors": ["Internal server error."]}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def flink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flink]:
    monkeypatch.setattr(rest_module, "POLL_SECONDS", 0.0)
    with Flink() as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def test_statistics_that_were_half_made_are_asked_for_again(flink: Flink) -> None:
    flink.statuses = [500, 500, 200]
    found = FlinkRest(LOOPBACK, flink.server_port).checkpoints("job")
    assert found == {"counts": {"completed": 4}}
    assert flink.asked == ["/jobs/job/checkpoints"] * 3


@pytest.mark.parametrize(("status", "times"), [(500, 3), (404, 1)])
def test_what_stays_wrong_is_told(flink: Flink, status: int, times: int) -> None:
    flink.statuses = [status]
    with pytest.raises(FlinkUnreachableError, match=f"refused GET /jobs/job/checkpoints .{status}"):
        FlinkRest(LOOPBACK, flink.server_port).checkpoints("job")
    assert len(flink.asked) == times
