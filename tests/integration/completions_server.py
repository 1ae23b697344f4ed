"""A server of the chat-completions API that says what a test wrote for it, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

# Shorter than any patience that a test gives an agent.
DRIP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Says:
    """One answer. `hangs`: nothing comes, until the server closes. `drips`: a byte now and then.
    `drops`: half comes.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    drips: bool = False
    drops: bool = False


def text(content: str, **more: Any) -> Says:
    """Say a message."""
    return _message({"role": "assistant", "content": content}, "stop", more)


def call(*calls: tuple[str, str]) -> Says:
    """Ask for tools: (name, arguments) each."""
    wanted = [
        {
            "id": f"call-{place}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for place, (name, arguments) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": wanted}
    return _message(message, "tool_calls", {})


def _message(message: Mapping[str, Any], reason: str, more: Mapping[str, Any]) -> Says:
    choice = {"index": 0, "message": message, "finish_reason": reason}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return Says(
        {"object": "chat.completion", "model": "small-1", "choices": [choice], "usage": usage}
        | dict(more)
    )


class ScriptedCompletions:
    """Answers requests with `script`, in order; what was asked is in `asked` and `headers`."""

    def __init__(self, *script: Says) -> None:
        self.script = deque(script)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.closing = threading.Event()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                scripted._answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        assert handler.path == "/v1/chat/completions"
        length = int(handler.headers["Content-Length"])
        self.asked.append(json.loads(handler.rfile.read(length)))
        self.headers.append(dict(handler.headers.items()))
        says = self.script.popleft()
        if says.hangs:
            self.closing.wait()
            return
        body = says.body if isinstance(says.body, bytes) else json.dumps(says.body).encode()
        handler.send_response(says.status)
        for name, value in says.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        while says.drips and not self.closing.wait(DRIP_SECONDS):
            handler.wfile.write(b" ")
        handler.wfile.write(body[: len(body) // 2] if says.drops else body)
        handler.close_connection = says.drops
