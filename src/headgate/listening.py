"""Listening: HTTP and gRPC side by side on ports of one host, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette

from headgate.errors import HeadgateError

GRACE_SECONDS = 5.0
"""Calls that wait are cut off then: whoever asks again waits on."""


class BindError(HeadgateError):
    """A port cannot be listened on.

    Operator action: choose another one, or end whoever listens there.
    """


@dataclass(frozen=True, slots=True)
class Places:
    """Where to listen. Port 0 is any that is free."""

    host: str
    http_port: int
    grpc_port: int


async def listen(
    app: Starlette,
    over_grpc: Any,
    places: Places,
    on_ready: Callable[[Places], None],
    *,
    until: asyncio.Event | None = None,
) -> None:
    """Serve an application and a server of `grpc.aio` until SIGINT or SIGTERM, or an event.

    on_ready: is told where.

    Raises:
        BindError: a port is taken.
    """
    try:
        grpc_port = over_grpc.add_insecure_port(f"{places.host}:{places.grpc_port}")
    except RuntimeError as error:
        message = f"{places.host}:{places.grpc_port} cannot be listened on: {error}"
        raise BindError(message) from error
    bound = _bound(places)
    over_http = _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=int(GRACE_SECONDS),
            server_header=False,
        )
    )
    await over_grpc.start()
    serving = asyncio.create_task(over_http.serve([bound]))
    loop, stopped = asyncio.get_running_loop(), until or asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    on_ready(Places(places.host, bound.getsockname()[1], grpc_port))
    try:
        await stopped.wait()
    finally:
        over_http.should_exit = True
        await over_grpc.stop(GRACE_SECONDS)
        await serving


class _Server(uvicorn.Server):
    """Leaves signals alone: two servers end together here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(places: Places) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in places.host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((places.host, places.http_port))
    except OSError as error:
        made.close()
        message = f"{places.host}:{places.http_port} cannot be listened on: {error}"
        raise BindError(message) from error
    return made
