"""Listening: HTTP and gRPC side by side on ports of one host, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from starlette.types import ASGIApp

from headgate.errors import HeadgateError

BACKLOG = 2_048
"""Connections that wait to be taken; uvicorn's own number."""

GRACE_SECONDS = 5.0
"""Calls that wait are cut off then: whoever asks again waits on."""


class BindError(HeadgateError):
    """A port cannot be listened on.

    Operator action: choose another one, or end whoever listens there.
    """


MOST_SECONDS = 300.0
"""Of one wait: proxies cut connections that are silent for longer. Who asks again waits on."""

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")


@dataclass(frozen=True, slots=True)
class Places:
    """Where to listen. Port 0 is any that is free."""

    host: str
    http_port: int
    grpc_port: int


async def announce(over_grpc: Any, service: str) -> None:
    """Let a server of `grpc.aio` tell that a service is there: by health and by reflection."""
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, over_grpc)
    for name in ("", service):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    names = (service, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, over_grpc)


def seconds_asked(prefer: str) -> float | None:
    """Return how long a header `Prefer: wait=10` asks to wait (RFC 7240), None if it does not.

    >>> seconds_asked("respond-async, wait=10")
    10.0
    """
    found = _WAIT.search(prefer)
    return float(found[1]) if found else None


async def listen(
    app: ASGIApp,
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
    bound = _bound(places.host, places.http_port)
    over_http = _server(app)
    await over_grpc.start()
    serving = asyncio.create_task(over_http.serve([bound]))
    stopped = until or asyncio.Event()
    _stop_by_signals(stopped)
    on_ready(Places(places.host, bound.getsockname()[1], grpc_port))
    try:
        await stopped.wait()
    finally:
        over_http.should_exit = True
        await over_grpc.stop(GRACE_SECONDS)
        await serving


async def listen_http(
    app: ASGIApp, host: str, port: int, on_ready: Callable[[int], None], until: asyncio.Event
) -> None:
    """Serve an application over HTTP alone until SIGINT or SIGTERM, or an event, which they set.

    on_ready: is told the port.

    Raises:
        BindError: the port is taken.
    """
    bound = _bound(host, port)
    server = _server(app)
    serving = asyncio.create_task(server.serve([bound]))
    _stop_by_signals(until)
    on_ready(bound.getsockname()[1])
    try:
        await until.wait()
    finally:
        server.should_exit = True
        await serving


def _stop_by_signals(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)


def _server(app: ASGIApp) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            # To the root's handlers, as everything else.
            log_config=None,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=int(GRACE_SECONDS),
            server_header=False,
        )
    )


class _Server(uvicorn.Server):
    """Leaves signals alone: two servers end together here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        # Whoever is told of the port may come at once: it is let wait until there is somebody.
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        message = f"{host}:{port} cannot be listened on: {error}"
        raise BindError(message) from error
    return made
