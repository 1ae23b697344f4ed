"""Serving the console until a signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from headgate.cli.broker import Broker
from headgate.errors import HeadgateError
from headgate.listening import listen_http
from headgate.local.rest import FlinkRest
from headgate.ui.app import make_app
from headgate.ui.desk import Desk
from headgate.ui.guard import LOOPBACK, Access
from headgate.ui.watch import Watch

FLINK_PORT = 8081


class UnguardedError(HeadgateError):
    """The console would listen where others reach it, and ask nobody who they are.

    Operator action: give it a token (ui.token_file, ui.token_env) or a reverse proxy
    (ui.proxy_header), or let it listen on 127.0.0.1.
    """


def check_guarded(host: str, access: Access) -> None:
    """Refuse to listen beyond loopback without authentication.

    Raises:
        UnguardedError: it would.
    """
    if host.strip("[]") not in LOOPBACK and not (access.token or access.proxy_header):
        message = (
            f"the console would listen on {host} and ask nobody who they are: name a token "
            "(ui.token_file or ui.token_env) or a proxy's header (ui.proxy_header), or listen on "
            "127.0.0.1"
        )
        raise UnguardedError(message)


async def serve(
    broker: Broker,
    access: Access,
    *,
    host: str,
    port: int,
    history: str,
    flink: str = "",
    trace_url: str = "",
    on_ready: Callable[[int], None],
) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` is told the port.

    flink: URL of the JobManager's REST; "": it is not asked.

    Raises:
        UnguardedError: host is not loopback, and nobody is asked who they are.
        BindError: the port is taken.
    """
    check_guarded(host, access)
    url = urlsplit(flink)
    rest = FlinkRest(url.hostname or "", url.port or FLINK_PORT) if flink else None
    watch = await asyncio.to_thread(
        Watch, broker.bootstrap, broker.config, history=history, flink=rest
    )
    stopping = asyncio.Event()
    try:
        desk = Desk(broker, watch, history, flink, trace_url)
        await listen_http(make_app(desk, access, stopping), host, port, on_ready, stopping)
    finally:
        await asyncio.to_thread(watch.close)
