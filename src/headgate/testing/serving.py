"""An agent service inside the test's own process: its agents can be looked at, and debugged."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Self

from headgate.sdk import Agent
from headgate.sdk.server import Server

DRAIN_SECONDS = 2.0


class Serving:
    """Serves agents on a free port of this machine, in a thread, until `close`."""

    def __init__(self, *agents: Agent[Any]) -> None:
        """Start serving; `endpoint` is known when this returns."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="headgate-serving", daemon=True
        )
        self._thread.start()
        self._server = Server(*agents, port=0, drain_seconds=DRAIN_SECONDS)
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result()

    @property
    def endpoint(self) -> str:
        """HOST:PORT."""
        return self._server.address

    def replace(self, agent: Agent[Any]) -> None:
        """Serve this agent from the next turn on instead of the one of the same name."""
        service = self._server._service
        if service is not None:
            service.agents[agent.name] = agent

    def close(self) -> None:
        """Drain and stop."""
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
