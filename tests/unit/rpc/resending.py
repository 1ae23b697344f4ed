"""A Gate that sends again and an agent of bounded speed, around a real Pool, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headgate.core.dispatch import RESEND_FIRST_MS, rests_until
from headgate.core.identity import genesis_base
from headgate.core.model import Surroundings
from headgate.rpc.dispatcher import TICK_SECONDS
from headgate.rpc.pending import Pending
from headgate.rpc.pool import Pool
from headgate.rpc.shares import ShareOf
from headgate.v1.agent_pb2 import TurnReply
from headgate.v1.connection_pb2 import CallLimits
from headgate.v1.turn_pb2 import Call, InFlight, StoredControl


class Agent:
    """An endpoint that answers so many calls at a time, each after so long."""

    load = 0
    is_up = True

    def __init__(self, concurrency: int, seconds: float) -> None:
        self.begun: list[tuple[float, str]] = []
        self._concurrency = concurrency
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._tell: Callable[[], None] = lambda: None
        self._calls = 0

    def watch(self, on_room: Callable[[], None]) -> None:
        self._tell = on_room

    def unwatch(self, on_room: Callable[[], None]) -> bool:
        return True

    def want(self) -> None:
        pass

    def can_take(self) -> bool:
        return self._calls < self._concurrency

    def put(self, pending: Pending) -> None:
        self._calls += 1
        self.begun.append((self._loop.time(), pending.tenant))
        self._loop.call_later(self._seconds, self._answer, pending)

    def _answer(self, pending: Pending) -> None:
        self._calls -= 1
        pending.owner.answered(pending, TurnReply())
        self._tell()


@dataclass(eq=False)
class Instance:
    """One that has one event: its request, and when it was sent."""

    name: bytes
    call: Call
    control: StoredControl
    promise: int
    looking: asyncio.TimerHandle | None = field(default=None)


class Gate:
    """Sends each instance's request, again where Invoke has told of drops, at the steps of
    ``core.dispatch``; knows of them by ticks, as Gate does.
    """

    def __init__(self, agent: Agent, queue_bytes: int, shares: Mapping[str, ShareOf]) -> None:
        self.drops = 0
        self._loop = asyncio.get_running_loop()
        self._told = 0
        self._under_way: set[bytes] = set()
        self._open: dict[bytes, Instance] = {}
        self.pool = Pool(
            [agent],  # type: ignore[list-item]
            CallLimits(),
            queue_bytes,
            shares=shares,
            on_reply=self._answered,
            on_dropped=self._dropped,
        )
        self._tick()

    def send(self, tenant: str, number: int, size: int) -> None:
        """An instance of a tenant has an event, of so many bytes."""
        base = genesis_base(f"a/{tenant}-{number}")
        call = Call(tenant=tenant)
        call.request.request_id = base
        call.request.deadline_ms = 60_000
        call.request.key = "x" * size
        sent = InFlight(sent_ms=self._now_ms())
        control = StoredControl(base=base, in_flight=sent)
        instance = self._open[base] = Instance(base, call, control, self._told)
        self._submit(instance)
        instance.looking = self._loop.call_later(RESEND_FIRST_MS / 1000, self._look, instance)

    def _submit(self, instance: Instance) -> None:
        if instance.name not in self._under_way:
            self._under_way.add(instance.name)
            self.pool.submit(instance.call)

    def _look(self, instance: Instance) -> None:
        if instance.promise != self._told:
            instance.promise = self._told
            self._submit(instance)
        around = Surroundings(now_ms=self._now_ms(), spec=None)
        instance.control.in_flight.promise = around.promise = b"as before"
        next_ms = rests_until(instance.control, around)
        instance.looking = self._loop.call_at(next_ms / 1000, self._look, instance)

    def _answered(self, pending: Pending, reply: TurnReply) -> None:
        self._under_way.discard(pending.name)
        looking = self._open.pop(pending.name).looking
        if looking is not None:
            looking.cancel()

    def _dropped(self, pending: Pending) -> None:
        self._under_way.discard(pending.name)
        self.drops += 1

    def _tick(self) -> None:
        self._told = self.drops
        self._loop.call_later(TICK_SECONDS, self._tick)

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)
