"""Inputs and a bare host for tables of the step: no Gate, no Invoke, one instance."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.core import trace
from headgate.core.codec import decode_control, encode_control
from headgate.core.identity import event_fingerprint, record_fingerprint
from headgate.core.machine import step
from headgate.core.model import (
    ControlArrived,
    Decide,
    EventArrived,
    Input,
    OutcomeRead,
    SendRequest,
    Snapshot,
    Surroundings,
    TimerFired,
    Transition,
)
from headgate.core.reference import reference_to
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, Event
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Call,
    Control,
    Controlled,
    Failed,
    JournalRecord,
    Outcome,
    Policy,
    StoredControl,
)

ADDRESS = "orders/17"
NOW_MS = 1_700_000_000_000


def policy(**changes: int) -> Policy:
    """Return a policy of three attempts and batches of four."""
    made = Policy(
        deadline_ms=1_000,
        max_attempts=3,
        backoff_initial_ms=200,
        backoff_max_ms=1_000,
        backoff_multiplier=2.0,
        max_batch=4,
        on_exhausted=ADVICE_DEAD_LETTER,
        max_state_bytes=10_000,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def event(offset: int, *, event_id: str = "", topic: str = "shop", partition: int = 0) -> Event:
    """Return an event of one record; with an id it carries one."""
    made = Event(
        id=event_id or f"{topic}/{partition}/{offset}",
        source="producer" if event_id else f"kafka:{topic}",
        type="t",
        has_id=bool(event_id),
        data=b"{}",
    )
    origin = made.origin
    origin.topic, origin.partition, origin.offset, origin.timestamp_ms = topic, partition, offset, 1
    made.fingerprint = (
        event_fingerprint(made.source, made.id) if event_id else record_fingerprint(origin)
    )
    return made


@dataclass
class Host:
    """Keeps one instance's bytes between steps, and the clock."""

    control: bytes | None = None
    items: dict[str, bytes] = field(default_factory=dict)
    now_ms: int = NOW_MS
    spec: AgentSpec | None = field(
        default_factory=lambda: AgentSpec(type="orders", endpoints=["a:1"], policy=policy())
    )
    registry_complete: bool = True
    offset: int = 0

    def step(self, given: Input) -> Transition:
        """Run one step and keep what it changed."""
        stored = decode_control(self.control, ADDRESS) if self.control is not None else None
        around = Surroundings(self.now_ms, self.spec, self.registry_complete)
        made = step(Snapshot(ADDRESS, stored, self.items), given, around)
        if made.control is not None:
            self.control = encode_control(made.control)
            for name, value in made.puts.items():
                if value is None:
                    self.items.pop(name, None)
                else:
                    self.items[name] = value
        return made

    def arrive(self, *events: Event) -> Transition:
        """Let events arrive; returns the last transition."""
        return [self.step(EventArrived(each)) for each in events][-1]

    def read(self, outcome: Outcome, *, appended_ms: int | None = None) -> Transition:
        """Let an outcome be read from the journal."""
        self.offset += 1
        raw = JournalRecord(outcome=outcome).SerializeToString()
        appended = self.now_ms if appended_ms is None else appended_ms
        return self.step(OutcomeRead(outcome, raw, appended, 0, self.offset))

    def wish(self, verb: Controlled.Verb, control_id: str = "c1") -> Transition:
        """Let an operator's control arrive."""
        return self.step(ControlArrived(Control(control_id=control_id, verb=verb)))

    def fire(self) -> Transition:
        """Let the wake-up come."""
        return self.step(TimerFired())

    @property
    def stored_items(self) -> dict[str, bytes]:
        """All items by name, those that the control record keeps too."""
        return {**self.items, **self.state.kept}

    @property
    def state(self) -> StoredControl:
        """The control record as it is stored."""
        assert self.control is not None
        return decode_control(self.control, ADDRESS)

    def frozen(self) -> tuple[bytes | None, dict[str, bytes]]:
        """Return all that is stored, to compare with."""
        return self.control, dict(self.items)


def call_of(made: Transition) -> Call:
    """Return the one request of a transition, as Invoke makes the call."""
    (request,) = [effect for effect in made.effects if isinstance(effect, SendRequest)]
    trace.begin(request.call)
    return request.call


def decision_of(made: Transition) -> Outcome:
    """Return the one decision of a transition."""
    (decide,) = [effect for effect in made.effects if isinstance(effect, Decide)]
    return decide.outcome


def completed(call: Call, number: int = 1, *, take: int | None = None) -> Outcome:
    """Return the outcome that completes a call, or its first events."""
    request = call.request
    outcome = Outcome(
        agent_type=request.agent_type,
        key=request.key,
        base=request.base,
        turn=request.turn,
        attempt=request.attempt,
        outcome_id=number.to_bytes(16, "big"),
        taken=[reference_to(each) for each in request.events[:take]],
    )
    outcome.completed.SetInParent()
    return outcome


def failed(call: Call, number: int = 1, *, blames: bool = True, **fields: int | bool) -> Outcome:
    """Return an outcome that fails a call at its head event, or names none."""
    outcome = completed(call, number, take=0)
    failure = Failed(names_event=blames, batch=len(call.request.events))
    if blames:
        failure.blamed = call.request.events[0].fingerprint
    for name, value in fields.items():
        setattr(failure, name, value)
    if failure.WhichOneof("disposition") is None:
        failure.retry_after_ms = 0
    outcome.failed.CopyFrom(failure)
    return outcome
