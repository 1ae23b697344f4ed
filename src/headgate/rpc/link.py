"""The connection to one endpoint: made when it is wanted, made again when it is lost, written to in
batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import grpc

from headgate.rpc.pending import Pending
from headgate.rpc.wire import OnRefused, OnReply, Wire, connect
from headgate.v1.connection_pb2 import Connection

log = logging.getLogger(__name__)

RECONNECT_FIRST_SECONDS = 0.05
RECONNECT_AT_MOST_SECONDS = 1.0
"""Pauses between connection attempts: a restarted service gets its turns within a second, a
dead one costs one connection attempt a second.
"""

BATCH_BYTES = 1_000_000
"""Requests written at once: far below gRPC's message limit, whatever the states weigh."""


class Link:
    """Keeps a wire to a service. ``on_change`` says that it is there, or has room again.

    ``on_lost`` says why it went away, and whether the calls that were sent go on without it.
    """

    def __init__(
        self,
        target: str,
        connection: Connection,
        *,
        flush_seconds: float,
        answer_bytes: int,
        on_reply: OnReply,
        on_refused: OnRefused,
        on_change: Callable[[], None],
        on_lost: Callable[[str, bool], None],
    ) -> None:
        self.target = target
        self.since = 0.0
        """When the connection was made, seconds of the event loop's clock."""

        self._connection = connection
        self._flush_seconds = flush_seconds
        self._answer_bytes = answer_bytes
        self._on_reply = on_reply
        self._on_refused = on_refused
        self._on_change = on_change
        self._on_lost = on_lost
        self._wire: Wire | None = None
        self._outbox: list[Pending] = []
        self._outbox_bytes = 0
        self._condition = ""
        self._wanted = asyncio.Event()
        self._work = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._finishing: set[asyncio.Task[None]] = set()
        self._running = self._loop.create_task(self._run())

    @property
    def is_up(self) -> bool:
        """Tell whether it is connected."""
        return self._wire is not None

    @property
    def has_room(self) -> bool:
        """Tell whether it is connected, and what is to be written is less than a batch."""
        return self._wire is not None and self._outbox_bytes < BATCH_BYTES

    def want(self) -> None:
        """Connect, if it is not connected: there are calls for it."""
        self._wanted.set()

    def send(self, pending: Pending) -> None:
        """Write a request with the next batch; only while there is room."""
        self._outbox.append(pending)
        self._outbox_bytes += pending.size
        self._work.set()

    def renew(self) -> None:
        """Send nothing more on this connection; connect anew and ask whether the service serves.

        Only where calls are alone: those under way go on.
        """
        if self._wire is not None:
            self._finish_later(self._wire)
            self._wire = None
            self._work.set()

    async def close(self) -> None:
        """Close the connection; calls under way stay unanswered."""
        tasks = [self._running, *self._finishing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._wire is not None:
            await self._wire.close()

    async def _run(self) -> None:
        pause = RECONNECT_FIRST_SECONDS
        while True:
            await self._wanted.wait()
            try:
                wire = self._wire = await connect(
                    self.target,
                    self._connection,
                    answer_bytes=self._answer_bytes,
                    on_reply=self._on_reply,
                    on_refused=self._on_refused,
                    on_broken=self._work.set,
                )
                self.since = self._loop.time()
                self._note("reachable")
                pause = RECONNECT_FIRST_SECONDS
                self._on_change()
                await self._feed(wire)
            except grpc.aio.AioRpcError as error:
                self._lost(error.code().name, error.details() or "")
            except Exception as error:
                self._lost(type(error).__name__, str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECONNECT_AT_MOST_SECONDS)

    async def _feed(self, wire: Wire) -> None:
        while True:
            await self._work.wait()
            if self._flush_seconds:
                await asyncio.sleep(self._flush_seconds)
            self._work.clear()
            wire.raise_if_broken()
            if self._wire is not wire:
                message = "it refused a call"
                raise ConnectionError(message)
            batch = [pending for pending in self._outbox if not pending.is_done]
            was_full = self._outbox_bytes >= BATCH_BYTES
            self._outbox, self._outbox_bytes = [], 0
            for pending in batch:
                pending.is_sent = True
            if was_full:
                self._on_change()
            if batch:
                await wire.send(batch)

    def _lost(self, condition: str, details: str) -> None:
        self._note(condition, details)
        wire, self._wire = self._wire, None
        self._wanted.clear()
        self._outbox, self._outbox_bytes = [], 0
        # A wire that was renewed carried calls that are alone.
        calls_go_on = wire is None or wire.calls_are_alone
        if wire is not None:
            self._finish_later(wire)
        self._on_lost(f"{condition}: {details}", calls_go_on)

    def _finish_later(self, wire: Wire) -> None:
        task = self._loop.create_task(wire.finish())
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    def _note(self, condition: str, details: str = "") -> None:
        """Log how the service is when that changes: not each of many attempts at a dead one."""
        if condition != self._condition:
            self._condition = condition
            log.warning("agent service %s is %s %s", self.target, condition, details)
