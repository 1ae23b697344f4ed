"""Serve agents: bind, health, reflection, drain."""

import asyncio
import signal
from types import TracebackType
from typing import Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from headgate.logs import configure_by_environment
from headgate.sdk.agent import Agent
from headgate.sdk.errors import ServeError
from headgate.sdk.query import SERVICE_NAME as QUERIES_NAME
from headgate.sdk.query import QueryService
from headgate.sdk.service import Service
from headgate.v1 import agent_pb2, agent_pb2_grpc, query_pb2_grpc

SERVICE_NAME = agent_pb2.DESCRIPTOR.services_by_name["AgentService"].full_name
# State, log windows and batches of both travel in one message; gRPC's default is 4 MiB.
MESSAGE_BYTES = 64 << 20
# After the turns are done, streams of health watchers may still be open: they get this long.
CLOSE_SECONDS = 0.2

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Server:
    """A running agent service, for embedding; `serve` is this with signals.

    >>> import asyncio
    >>> async def main():
    ...     async with Server(Agent("echo"), port=0) as server:
    ...         return server.address.startswith("127.0.0.1:")
    >>> asyncio.run(main())
    True
    """

    def __init__(
        self,
        *agents: Agent[Any],
        port: int = 7070,
        host: str = "127.0.0.1",
        max_turns: int = 1000,
        drain_seconds: float = 10.0,
    ) -> None:
        self._agents = agents
        self._host = host
        self._port = port
        self._max_turns = max_turns
        self._drain_seconds = drain_seconds
        self._service: Service | None = None
        self._server: Any = None
        self._health: Any = None

    @property
    def address(self) -> str:
        """HOST:PORT; the real port once started with port 0."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Bind and serve; ServeError if the port is taken."""
        # Never given back: gRPC joins its poller thread when the last of its objects goes, and if
        # that is at the interpreter's end, when the thread runs no more, it waits for ever.
        grpc.aio.init_grpc_aio()
        self._service = Service(self._agents, self._max_turns)
        self._server = grpc.aio.server(
            options=[
                # With SO_REUSEPORT a second service on the port would start without an error and
                # take half of the calls.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MESSAGE_BYTES),
                ("grpc.max_send_message_length", MESSAGE_BYTES),
            ]
        )
        agent_pb2_grpc.add_AgentServiceServicer_to_server(self._service, self._server)
        query_pb2_grpc.add_QueryServiceServicer_to_server(
            QueryService(self._service.agents), self._server
        )
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE_NAME, QUERIES_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        try:
            self._port = self._server.add_insecure_port(self.address) or self._fail()
        except RuntimeError:
            self._fail()
        await self._server.start()
        await self._tell(_SERVING)

    def _fail(self) -> int:
        message = (
            f"cannot listen on {self.address}: the port is taken or the host is not this machine;"
            " choose another with port=, or 0 for a free one"
        )
        raise ServeError(message) from None

    async def _tell(self, status: int) -> None:
        for name in ("", SERVICE_NAME):
            await self._health.set(name, status)

    async def stop(self) -> bool:
        """Drain and stop: NOT_SERVING, no new turns, running ones get `drain_seconds`.

        False if some turns had to be left.
        """
        if self._service is None:
            return True
        service, self._service = self._service, None
        await self._tell(_NOT_SERVING)
        is_complete = await service.drain(self._drain_seconds)
        await self._server.stop(CLOSE_SECONDS)
        return is_complete

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


async def aserve(
    agent: Agent[Any],
    *more: Agent[Any],
    port: int = 7070,
    host: str = "127.0.0.1",
    max_turns: int = 1000,
    drain_seconds: float = 10.0,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `serve` for code that has a loop already."""
    server = Server(
        agent, *more, port=port, host=host, max_turns=max_turns, drain_seconds=drain_seconds
    )
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    await server.start()
    for number in signals:
        loop.add_signal_handler(number, asked.set)
    names = ", ".join(each.name for each in (agent, *more))
    print(f"serving {names} on {server.address}", flush=True)
    try:
        await asked.wait()
        print("draining", flush=True)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        if not await server.stop():
            print(f"left turns that ran longer than {drain_seconds:g} s", flush=True)


def serve(
    agent: Agent[Any],
    *more: Agent[Any],
    port: int = 7070,
    host: str = "127.0.0.1",
    max_turns: int = 1000,
    drain_seconds: float = 10.0,
) -> None:
    """Serve agents until SIGTERM or Ctrl-C; running turns are finished first.

    ```python
    serve(agent, port=7070)
    ```

    Logs are JSON lines where the environment says `HEADGATE_LOG_FORMAT=json` (`headgate.logs`).
    """
    configure_by_environment()
    try:
        asyncio.run(
            aserve(
                agent,
                *more,
                port=port,
                host=host,
                max_turns=max_turns,
                drain_seconds=drain_seconds,
            )
        )
    except ServeError as error:
        raise SystemExit(str(error)) from None
