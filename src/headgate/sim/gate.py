"""Gate in memory: hands inputs to the pure step and carries out what it says. It has no rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from headgate.core.billing import Billed, Billing
from headgate.core.budgets import NO_BUDGETS, Budgets
from headgate.core.machine import step
from headgate.core.model import (
    DeadLettered,
    Decide,
    Emit,
    Input,
    OutcomeRead,
    Parking,
    Post,
    RecordHistory,
    Replied,
    SendRequest,
    Surroundings,
    TimerFired,
    Transition,
)
from headgate.core.readiness import Readiness
from headgate.core.tenancy import tenant_of
from headgate.sim.broker import Clock, Sink
from headgate.sim.store import Store
from headgate.v1.cost_pb2 import Tenancy
from headgate.v1.turn_pb2 import AgentSpec, DeadLetter, InvokeRequest, Tick

Request = SendRequest | Decide
Watch = Callable[[str, Input, Transition, Store], None]
"""Called after every step with what went in and came out; tests look for broken invariants here."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """A record of an exactly-once sink, with the address it is for."""

    address: str
    value: bytes


@dataclass(slots=True)
class Sinks:
    """The exactly-once outputs of a world; they outlive every Gate."""

    outbox: Sink[Emitted] = field(default_factory=Sink)
    history: Sink[Emitted] = field(default_factory=Sink)
    letters: Sink[DeadLetter] = field(default_factory=Sink)
    parked: Sink[Emitted] = field(default_factory=Sink)
    # By address and request; replies wait for no checkpoint, and are the same each time.
    replies: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def commit(self) -> None:
        """Commit all, as one checkpoint does."""
        self.outbox.commit()
        self.history.commit()
        self.letters.commit()
        self.parked.commit()

    def abort(self) -> None:
        """Abort all, as a restore does."""
        self.outbox.abort()
        self.history.abort()
        self.letters.abort()
        self.parked.abort()


@dataclass(slots=True)
class Gate:
    """One life of Gate. ``registry`` counts as read whole once ``registry_complete``."""

    store: Store
    clock: Clock
    sinks: Sinks
    readiness: Readiness
    send: Callable[[Request], None]
    post: Callable[[str, bytes], None]
    billing: Billing
    send_billed: Callable[[list[Billed]], None]
    budgets: Budgets = NO_BUDGETS
    registry: Mapping[str, AgentSpec] = field(default_factory=dict)
    registry_complete: bool = False
    watch: Watch | None = None
    held: dict[str, list[Request]] = field(default_factory=dict)

    def take(self, address: str, given: Input) -> Transition:
        """Run one step and its effects."""
        agent_type = address.partition("/")[0]
        budgets = self.budgets if self.registry_complete else NO_BUDGETS
        self.billing.know(budgets, self.clock.now_ms * 1_000)
        if isinstance(given, OutcomeRead):
            self._settle(agent_type, given)
        around = Surroundings(
            now_ms=self.clock.now_ms,
            spec=self.registry.get(agent_type),
            registry_complete=self.registry_complete,
            promise=self.readiness.promise,
            budgets_changed_us=self.billing.changed_us,
        )
        transition = step(self.store.snapshot_of(address), given, around)
        self.store.keep(address, transition)
        requests: list[Request] = []
        for effect in transition.effects:
            match effect:
                case SendRequest() | Decide():
                    requests.append(effect)
                case Emit(value):
                    self.sinks.outbox.write(Emitted(address, value))
                case RecordHistory(value):
                    self.sinks.history.write(Emitted(address, value))
                case DeadLettered(letter):
                    self.sinks.letters.write(letter)
                case Parking(value):
                    self.sinks.parked.write(Emitted(address, value))
                case Post(receiver, value):
                    self.post(receiver, value)
                case Replied(request_id, value):
                    self.sinks.replies[address, request_id] = value
                case _ as never:
                    assert_never(never)
        self._pass_on(address, requests, is_turn=transition.note == "applied")
        self.send_billed(self.billing.give())
        if self.watch is not None:
            self.watch(address, given, transition, self.store)
        return transition

    def _pass_on(self, address: str, requests: list[Request], *, is_turn: bool) -> None:
        if self.readiness.is_ready:
            for request in requests:
                self._let_go(request)
        elif requests:
            # The newest speaks for the instance: the older is a re-send, or its base is past.
            self.held[address] = requests
        elif is_turn:
            # An earlier life's outcome answers what is held: sending it would be paying twice.
            self.held.pop(address, None)

    def see(self, tick: Tick, appended_ms: int) -> None:
        """Take a tick of the journal in; the last start tick lets go of what was held back.

        What it closes in the history is the job's own Gate's to say.
        """
        self.billing.see(appended_ms)
        if self.readiness.see(tick):
            self.billing.greet(0, 1)
            held, self.held = self.held, {}
            for requests in held.values():
                for request in requests:
                    self._let_go(request)
        self.send_billed(self.billing.give())

    def _settle(self, agent_type: str, read: OutcomeRead) -> None:
        spec = self.registry.get(agent_type)
        tenancy = spec.tenancy if spec is not None else Tenancy()
        tenant = read.outcome.tenant or tenant_of(tenancy, read.outcome.key)
        self.billing.settle(read, tenant, is_sure=self.registry_complete)

    def _let_go(self, request: Request) -> None:
        if isinstance(request, SendRequest):
            call = request.call
            if self.billing.is_counted(call.tenant, call.request.agent_type):
                raw = InvokeRequest(call=call).SerializeToString()
                self.billing.ask(call, request.estimate_nanos, raw)
                return
        self.send(request)

    def fire(self, due_ms: int, address: str) -> None:
        """Fire one registered timer."""
        self.store.timers.remove((due_ms, address))
        self.take(address, TimerFired())
