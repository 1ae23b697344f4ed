"""Serving the front door, over HTTP and gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc.aio

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.door.desk import Desk
from headgate.door.http import make_app
from headgate.door.rpc import SERVICE_NAME, FrontDoor
from headgate.door.waiting import Waiting
from headgate.listening import Places, announce, listen
from headgate.v1 import door_pb2_grpc

MESSAGE_BYTES = 64 << 20


async def serve(
    bootstrap: Bootstrap, config: Config, places: Places, on_ready: Callable[[Places], None]
) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` is told where.

    Raises:
        BindError: a port is taken.
        HeadgateError: Kafka cannot be reached.
    """
    desk = await asyncio.to_thread(Desk, bootstrap, config)
    waiting = Waiting(desk)
    try:
        over_grpc = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_BYTES)])
        door_pb2_grpc.add_FrontDoorServicer_to_server(FrontDoor(waiting), over_grpc)
        await announce(over_grpc, SERVICE_NAME)
        app = make_app(waiting, max_body=config.limits.max_record)
        await listen(app, over_grpc, places, on_ready)
    finally:
        waiting.close()
        await asyncio.to_thread(desk.close)
