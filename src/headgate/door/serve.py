"""Serving the front door: HTTP and gRPC side by side, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc.aio
import uvicorn
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from headgate.config import Config
from headgate.door.desk import Desk
from headgate.door.http import make_app
from headgate.door.rpc import SERVICE_NAME, FrontDoor
from headgate.door.waiting import Waiting
from headgate.errors import HeadgateError
from headgate.v1 import door_pb2_grpc

MESSAGE_BYTES = 64 << 20

GRACE_SECONDS = 5.0
"""Calls that wait for replies are cut off then: whoever asks again, by the same id, waits on."""


class BindError(HeadgateError):
    """A port cannot be listened on.

    Operator action: choose another one, or end whoever listens there.
    """


@dataclass(frozen=True, slots=True)
class Places:
    """Where to listen. Port 0 is any that is free."""

    host: str = "127.0.0.1"
    http_port: int = 7080
    grpc_port: int = 7081


async def serve(
    bootstrap: str, config: Config, places: Places, on_ready: Callable[[Places], None]
) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` is told where.

    Raises:
        BindError: a port is taken.
        HeadgateError: Kafka cannot be reached.
    """
    desk = await asyncio.to_thread(Desk, bootstrap, config)
    waiting = Waiting(desk)
    try:
        await _serve(waiting, config, places, on_ready)
    finally:
        waiting.close()
        await asyncio.to_thread(desk.close)


async def _serve(
    waiting: Waiting, config: Config, places: Places, on_ready: Callable[[Places], None]
) -> None:
    over_grpc = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_BYTES)])
    door_pb2_grpc.add_FrontDoorServicer_to_server(FrontDoor(waiting), over_grpc)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, over_grpc)
    for name in ("", SERVICE_NAME):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    names = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, over_grpc)
    try:
        grpc_port = over_grpc.add_insecure_port(f"{places.host}:{places.grpc_port}")
    except RuntimeError as error:
        message = f"{places.host}:{places.grpc_port} cannot be listened on: {error}"
        raise BindError(message) from error
    over_http = _http(waiting, config)
    sockets = [_bound(places)]
    await over_grpc.start()
    serving = asyncio.create_task(over_http.serve(sockets))
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    on_ready(Places(places.host, sockets[0].getsockname()[1], grpc_port))
    try:
        await stopped.wait()
    finally:
        over_http.should_exit = True
        await over_grpc.stop(GRACE_SECONDS)
        await serving


def _http(waiting: Waiting, config: Config) -> uvicorn.Server:
    app = make_app(waiting, max_body=config.limits.max_record)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=int(GRACE_SECONDS),
        server_header=False,
    )
    return _Server(settings)


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
