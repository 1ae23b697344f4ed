"""The job's own Gate and shards in a simulated world: its caches, alarms and batches under crashes.

What `headgate.sim.gate` does with one step and a store of cells is done here by the operator that
Flink hosts; what it is given is bytes, and what it leaves is what Flink would restore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from headgate.bootstrap import Bootstrap
from headgate.core.batch import pack_records
from headgate.core.billing import Billed, Billing
from headgate.core.budgets import NO_BUDGETS, Budgets
from headgate.core.codec import decode_control
from headgate.core.identity import partition_of
from headgate.core.model import (
    ControlArrived,
    Decide,
    EventArrived,
    Input,
    MessageArrived,
    OutcomeRead,
    SendRequest,
)
from headgate.core.readiness import Readiness
from headgate.flink import rows
from headgate.flink.exposed import Exposed
from headgate.flink.gate import Gate, GateSettings
from headgate.flink.outputs import Topics
from headgate.kafka.table import Shown
from headgate.sim.broker import Clock
from headgate.sim.gate import Emitted, Request, Sinks, Watch
from headgate.v1.turn_pb2 import (
    AgentSpec,
    DeadLetter,
    GateInput,
    InvokeRequest,
    JournalRecord,
    StoredControl,
    Tick,
)
from tests.flink.test_gate import JavaGroup, Stored

KEYS = ("shard-a", "shard-b")
NEVER_MS = 10**16
"""Timers that are due later are not set: there is no such year."""
TOPICS = Topics(
    "journal",
    "outbox",
    "history",
    "dead-letters",
    "parked",
    "inbox",
    "answers",
    "pressure",
    "replies",
)


class HostedStore:
    """Flink's keyed state and timers, by shard: what a checkpoint holds."""

    def __init__(self) -> None:
        self.entries = [Stored() for _ in KEYS]
        self.due = [Stored() for _ in KEYS]
        self.parked = [Stored() for _ in KEYS]
        self.timers: set[tuple[int, str]] = set()

    def copy(self) -> HostedStore:
        """Return a snapshot that nothing changes."""
        other = HostedStore()
        other.entries = [Stored(each) for each in self.entries]
        other.due = [Stored(each) for each in self.due]
        other.parked = [Stored(each) for each in self.parked]
        other.timers = set(self.timers)
        return other

    @property
    def cells(self) -> list[str]:
        """The addresses that have state."""
        names = [name for entries in self.entries for name in entries]
        controls = [name for name in names if name.endswith("/")]
        return [name.partition("/")[2].removesuffix("/") for name in controls]

    def control(self, address: str) -> StoredControl | None:
        """Return an instance's control record, None if nothing is stored."""
        raw = self._entries_of(address).get(f"{len(address)}/{address}/")
        return decode_control(raw, address) if raw is not None else None

    def items(self, address: str) -> dict[str, bytes]:
        """Return an instance's items by name, those that the control record keeps too."""
        control, prefix = self.control(address), f"{len(address)}/{address}/"
        if control is None:
            return {}
        items = {
            name.removeprefix(prefix): value
            for name, value in self._entries_of(address).items()
            if name.startswith(prefix) and name != prefix
        }
        assert not set(items) & set(control.kept), "stored in two places"
        return {**items, **control.kept}

    def _entries_of(self, address: str) -> Stored:
        return self.entries[partition_of(address.encode(), len(KEYS))]


class _Context:
    """Flink's context of one record or timer."""

    def __init__(self, store: HostedStore, shard: int) -> None:
        self._store, self._shard = store, shard

    def timer_service(self) -> Any:
        return SimpleNamespace(register_processing_time_timer=self._register)

    def get_current_key(self) -> str:
        return KEYS[self._shard]

    def _register(self, due_ms: int) -> None:
        if due_ms < NEVER_MS:
            self._store.timers.add((due_ms, KEYS[self._shard]))


class _Current:
    """Map states of all shards; Flink shows the current key's."""

    def __init__(self, states: list[Stored]) -> None:
        self._states = states
        self.shard = 0

    def get(self, name: str) -> bytes | None:
        return self._states[self.shard].get(name)

    def put_all(self, entries: Mapping[str, bytes | None]) -> None:
        self._states[self.shard].put_all(entries)

    def names(self) -> Iterator[str]:
        return self._states[self.shard].names()


@dataclass(slots=True)
class HostedGate:
    """One life of Gate: one or two subtasks, as `parallelism` says when it begins."""

    store: HostedStore
    clock: Clock
    sinks: Sinks
    readiness: Readiness
    send: Callable[[Request], None]
    post: Callable[[str, bytes], None]
    # The real Gate has a billing of its own.
    billing: Billing
    send_billed: Callable[[list[Billed]], None]
    budgets: Budgets = NO_BUDGETS
    parallelism: int = 1
    is_batched: bool = False
    registry: Mapping[str, AgentSpec] = field(default_factory=dict)
    registry_complete: bool = False
    watch: Watch | None = None
    _subtasks: list[Any] = field(default_factory=list)
    _states: list[_Current] = field(default_factory=list)
    _last: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin the lives of all subtasks."""
        stored = self.store.entries, self.store.due, self.store.parked
        self._states = [_Current(states) for states in stored]
        for subtask in range(self.parallelism):
            gate: Any = Gate(GateSettings(Bootstrap(""), "", TOPICS, KEYS))
            gate._entries, gate._due, gate._parked_counts = self._states
            gate._exposed = Exposed(JavaGroup())
            gate._begin_life(subtask, self.parallelism)
            # The world's one Invoke answers every subtask; it knows the world's nonce.
            gate._readiness.nonce = self.readiness.nonce
            gate._table = self
            self._subtasks.append(gate)

    @property
    def shown(self) -> Shown:
        """Be the registry table of the subtasks."""
        paused = frozenset(name for name, spec in self.registry.items() if spec.paused)
        budgets = self.budgets if self.registry_complete else NO_BUDGETS
        return Shown(self.registry, paused=paused, budgets=budgets)

    @property
    def is_complete(self) -> bool:
        """Whether the registry has been read."""
        return self.registry_complete

    def take(self, address: str, given: Input) -> None:
        """Hand an input to the subtask that has its shard."""
        shard = partition_of(address.encode(), len(KEYS))
        match given:
            case EventArrived(event):
                raw = GateInput(address=address, shard=shard, event=event).SerializeToString()
                self._carry_out(shard, "process_element1", raw)
            case MessageArrived(message):
                raw = GateInput(address=address, shard=shard, message=message).SerializeToString()
                self._carry_out(shard, "process_element1", raw)
            case ControlArrived(control):
                raw = GateInput(address=address, shard=shard, control=control).SerializeToString()
                self._carry_out(shard, "process_element1", raw)
            case OutcomeRead(_, raw, appended_ms, partition, offset):
                assert partition == shard
                # Batched with the outcome before it, which is dropped the second time.
                batch = [self._last.get(shard, raw), raw] if self.is_batched else [raw]
                self._last[shard] = raw
                row = (KEYS[shard], pack_records(batch), partition, offset, appended_ms)
                self._carry_out(shard, "process_element2", row)

    def see(self, tick: Tick, appended_ms: int) -> None:
        """Hand a tick to the subtask whose shard it was written for."""
        own = Tick()
        own.CopyFrom(tick)
        own.partitions = len(KEYS) // self.parallelism
        raw = JournalRecord(tick=own).SerializeToString()
        row = (KEYS[tick.partition], raw, tick.partition, 0, appended_ms)
        self._carry_out(tick.partition, "process_element2", row)

    def fire(self, due_ms: int, key: str) -> None:
        """Fire one of Flink's timers."""
        self.store.timers.remove((due_ms, key))
        self._carry_out(KEYS.index(key), "on_timer", due_ms)

    def _carry_out(self, shard: int, method: str, given: Any) -> None:
        for state in self._states:
            state.shard = shard
        gate = self._subtasks[shard * self.parallelism // len(KEYS)]
        for each in getattr(gate, method)(given, _Context(self.store, shard)):
            topic, *rest = each
            if topic is rows.REQUESTED:
                self._pass_on(*rest)
                continue
            key, value = rest[0]._values if topic is rows.BILLED else rest
            match topic:
                case rows.BILLED:
                    self.send_billed([(key, value)])
                case "inbox":
                    self.post(key.decode(), value)
                case "outbox":
                    self.sinks.outbox.write(Emitted(key.decode(), value))
                case "history":
                    self.sinks.history.write(Emitted(key.decode(), value))
                case "parked":
                    self.sinks.parked.write(Emitted(key.decode(), value))
                case _:
                    self.sinks.letters.write(DeadLetter.FromString(value))

    def _pass_on(self, value: bytes) -> None:
        request = InvokeRequest.FromString(value)
        match request.WhichOneof("kind"):
            case "batch":
                for each in request.batch.requests:
                    self._pass_on(each)
            case "call":
                self.send(SendRequest(request.call))
            case "decide":
                self.send(Decide(request.decide.outcome))
            case _:
                # The hello: the world says when it is answered.
                pass
