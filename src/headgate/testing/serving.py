"""An agent service inside the test's own process: its agents can be looked at, and debugged."""

from __future__ import annotations

from typing import Any, Self

from headgate.sdk import Agent
from headgate.sdk.server import Server
from headgate.testing import background

DRAIN_SECONDS = 2.0


class Serving:
    """Serves agents on a free port of this machine, beside the tests, until `close`."""

    def __init__(self, *agents: Agent[Any]) -> None:
        """Start serving; `endpoint` is known when this returns."""
        self._server = Server(*agents, port=0, drain_seconds=DRAIN_SECONDS)
        background.run(self._server.start())

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
        background.run(self._server.stop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
