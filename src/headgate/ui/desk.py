"""What all pages work with: the broker, what is watched, and where the history is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from headgate.cli.broker import Broker
from headgate.history.client import HistoryClient
from headgate.kafka.registry import RegistryTable
from headgate.rpc.health import Answer
from headgate.ui.facts import Facts
from headgate.ui.window import Window

T = TypeVar("T")


class Watching(Protocol):
    """What pages need of `Watch`."""

    window: Window
    registry: RegistryTable
    started_ms: int

    def look(self) -> None:
        """Say that somebody looks."""

    def facts(self) -> Facts:
        """Return what is known now."""

    def answers(self) -> dict[str, Answer]:
        """Return what the agents' services said last, by endpoint."""


@dataclass(frozen=True, slots=True)
class Desk:
    """history: HOST:PORT of its gRPC. flink_url: of Flink's own UI, "" where nobody named it.

    trace_url: of a trace, with {trace_id} in it; "" for none.
    """

    broker: Broker
    watch: Watching
    history: str
    flink_url: str = ""
    trace_url: str = ""

    async def past(self, ask: Callable[[HistoryClient], T]) -> T:
        """Ask the history service; see `HistoryClient` for what is raised."""

        def run() -> T:
            # A client of its own: one that has met an outage waits before it tries again.
            client = HistoryClient(self.history)
            try:
                return ask(client)
            finally:
                client.close()

        return await asyncio.to_thread(run)
