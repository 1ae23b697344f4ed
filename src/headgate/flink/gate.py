"""Gate: the keyed operator that hosts `core.step`. Thin: state in, step, effects out.

Two inputs, both keyed by shard: what intake has read (events, messages, controls), as the bytes of
a `GateInput`, and the journal, as rows `(key, record, partition, offset, appended_ms)`. Outputs are
tuples `(topic, key, value)`, records for the sinks; requests for Invoke and what the ledger is told
go to side outputs.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from pyflink.datastream import RuntimeContext
from pyflink.datastream.functions import KeyedCoProcessFunction

from headgate.bootstrap import Bootstrap
from headgate.core.batch import opened
from headgate.core.billing import Billing
from headgate.core.bounds import fault_of_outcome
from headgate.core.codec import StateVersionError
from headgate.core.dispatch import may_be_paid_now, rests_until
from headgate.core.full import holds_back
from headgate.core.letters import part_id
from headgate.core.machine import step
from headgate.core.model import (
    ControlArrived,
    DeadLettered,
    EventArrived,
    Input,
    MessageArrived,
    OutcomeRead,
    Snapshot,
    Surroundings,
    TimerFired,
)
from headgate.core.pressure import Pressure
from headgate.core.readiness import Readiness
from headgate.core.tenancy import tenant_of
from headgate.core.trace import ALWAYS
from headgate.flink.alarms import Alarms
from headgate.flink.brokers_clock import BrokersClock
from headgate.flink.exposed import Exposed
from headgate.flink.gate_metrics import GateMetrics
from headgate.flink.horizon import Horizon
from headgate.flink.inspection import inspect
from headgate.flink.outputs import Journaled, Output, Outputs, Sided, Topics
from headgate.flink.refusal import letter_for_refused
from headgate.flink.sealed_entries import SealedEntries
from headgate.flink.shard import Shard
from headgate.flink.shards import shards_of
from headgate.flink.storage import StoredEntries
from headgate.kafka.shared_table import SharedTable
from headgate.sealing.errors import BrokenSealError
from headgate.sealing.places import Encryption, Seals
from headgate.v1 import turn_pb2
from headgate.v1.cost_pb2 import Tenancy
from headgate.v1.turn_pb2 import (
    AgentSpec,
    GateInput,
    JournalRecord,
    StoredControl,
)

UNREADABLE_MS = 3_600_000
"""How soon an instance whose state is of a newer version is looked at again: in vain, in this life.
"""

STIR_MS = 5_000
"""A shard is woken so often at least. A job that failed over while nobody sent it anything may have
read all ticks before: its Gate would greet no Invoke, and show nothing of itself, until an event
comes, perhaps on Monday. A timer is kept, and what was due rings at once in the next life.
"""

_NO_TENANCY = Tenancy()


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What Gate needs to know. ``shard_keys[n]`` is the key of shard n. ``sampled_below``: see
    `Surroundings`. ``encryption``: None: nothing is sealed.
    """

    bootstrap: Bootstrap
    registry: str
    topics: Topics
    shard_keys: tuple[str, ...]
    sampled_below: int = ALWAYS
    encryption: Encryption | None = None


class Gate(KeyedCoProcessFunction):
    """Runs one step for every input; emits requests and records."""

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        # The keys are read where it runs: what Flink carries there names them at most.
        self._seals = Seals()

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open state and follow the registry."""
        self._seals = Seals.of(self._settings.encryption)
        self._entries = SealedEntries(StoredEntries(runtime_context, "items"), self._seals.sealer)
        self._due = StoredEntries(runtime_context, "due")
        self._parked_counts = StoredEntries(runtime_context, "parked")
        # PyFlink's own getters are broken in thread mode; the Java object behind them is not.
        java = runtime_context._runtime_context
        info = java.getTaskInfo()
        self._exposed = Exposed(java.getMetricGroup())
        self._begin_life(info.getIndexOfThisSubtask(), info.getNumberOfParallelSubtasks())
        self._registry = SharedTable(self._settings.bootstrap, self._settings.registry)
        self._table = self._registry.table

    def _begin_life(self, subtask: int, parallelism: int) -> None:
        """What Gate knows in memory alone: gone with a failover, made anew by the next life."""
        keys = self._settings.shard_keys
        own = [
            turn_pb2.Shard(partition=number, key=keys[number].encode())
            for number in shards_of(subtask, parallelism, len(keys))
        ]
        self._readiness = Readiness(nonce=os.urandom(8))
        self._metrics = GateMetrics(self._exposed, self._parked_counts)
        self._tally = self._metrics.tally
        self._billing = Billing(keys)
        self._outputs = Outputs(
            self._settings.topics,
            self._readiness,
            own,
            self._billing,
            self._tally,
            seals=self._seals,
        )
        self._subtask = subtask, parallelism
        self._horizon = Horizon(
            time.monotonic(),
            self._readiness,
            self._billing,
            self._outputs,
            self._settings.sampled_below,
        )
        self._clock = BrokersClock()
        self._pressure = Pressure()
        self._numbers = {key: number for number, key in enumerate(keys)}
        self._shards: dict[int, Shard] = {}
        self._alarms = Alarms()
        # Of the record at work: its time, which of its batch is read, and whether the ledger wants
        # to know of outcomes.
        self._now_ms = 0
        self._part = 0
        self._is_billed = True
        # Whether its writer has told what the calls of its outcomes took.
        self._is_told = False

    def close(self) -> None:
        """Stop following the registry."""
        self._registry.close()

    # ----------------------------------------------------------------------------------- inputs

    def process_element1(self, value: bytes, ctx: Any) -> list[Output | Sided]:
        """Take an event, a message or a control, or what intake could not read."""
        given = GateInput.FromString(bytes(value))
        self._horizon.routed(given.registry_position)
        shard = self._enter(given.shard)
        match given.WhichOneof("kind"):
            case "event":
                self._step(shard, given.address, EventArrived(given.event))
            case "message":
                self._step(shard, given.address, MessageArrived(given.message))
            case "control":
                self._step(shard, given.address, ControlArrived(given.control))
            case "inspect":
                told = inspect(shard, given, self._now_ms)
                self._outputs.answer(given.inspect.request_id, told)
            case _:
                self._outputs.set_aside(given.refused.record_key, given.refused)
        return self._finish(shard, ctx)

    def process_element2(self, value: Journaled, ctx: Any) -> list[Output | Sided]:
        """Take a record of the journal."""
        key, payload, partition, *_ = value
        if self._numbers.get(key) != partition:
            problem = f"its key is {key!r}, which is not its partition's"
            self._outputs.set_record_aside(value, problem)
            return self._outputs.give()
        shard = self._enter(partition)
        self._is_billed = self._billing.is_on or not self._horizon.is_complete
        self._tally.lag(self._now_ms - value[4])
        try:
            raw = self._seals.open(
                self._settings.topics.journal, key.encode(), bytes(payload or b"")
            )
            parts, made = opened(raw)
        except (DecodeError, BrokenSealError) as error:
            self._outputs.set_record_aside(value, str(error))
        else:
            self._is_told = made is not None
            if made is not None:
                self._tally.told(made)
            for self._part, each in enumerate(parts):
                self._read(shard, each, value)
        self._wake_resumed(shard)
        return self._finish(shard, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> list[Output | Sided]:
        """Wake the instances of a shard that are due."""
        key = ctx.get_current_key()
        number = self._numbers[key if isinstance(key, str) else key[0]]
        shard = self._enter(number)
        self._alarms.rang(number)
        self._now_ms = max(timestamp + self._clock.ahead_ms, self._now_ms)
        for address in shard.take_due(self._now_ms):
            self._wake(shard, address)
        if self._horizon.must_greet():
            self._outputs.greet()
        return self._finish(shard, ctx)

    def _read(self, shard: Shard, raw: bytes, journaled: Journaled) -> None:
        """Take one outcome or tick. What is wrong with it is no fault of others in its batch."""
        try:
            record = JournalRecord.FromString(raw)
        except DecodeError as error:
            self._set_aside(journaled, str(error))
            return
        match record.WhichOneof("kind"):
            case "tick":
                if not self._readiness.is_ready or record.tick.nonce == self._readiness.nonce:
                    # A dead life's worker may tick on for a while: no sign of this one's.
                    self._horizon.ticked(time.monotonic())
                self._metrics.heard.take(record.tick, self._now_ms)
                was_ready = self._readiness.is_ready
                _, _, partition, _, appended_ms = journaled
                self._hear(record.tick, appended_ms)
                self._billing.see(appended_ms)
                self._outputs.see(record.tick)
                if self._readiness.is_ready and not was_ready:
                    self._billing.greet(*self._subtask)
                self._horizon.look_anew()
                self._outputs.close(partition, len(self._settings.shard_keys), appended_ms)
            case "outcome":
                _, _, partition, offset, appended_ms = journaled
                outcome = record.outcome
                address = f"{outcome.agent_type}/{outcome.key}"
                problem = fault_of_outcome(outcome)
                if not shard.is_of(address, len(self._settings.shard_keys)):
                    problem = f"it names {address}, whose outcomes belong to another partition"
                if problem:
                    self._set_aside(journaled, problem)
                else:
                    read = OutcomeRead(outcome, raw, appended_ms, partition, offset)
                    if not self._is_told:
                        self._tally.of(outcome.agent_type).call(outcome)
                    if self._is_billed:
                        self._settle(address, read)
                    self._step(shard, address, read)
            case _:
                self._set_aside(journaled, "it is neither an outcome nor a tick")

    def _hear(self, tick: turn_pb2.Tick, appended_ms: int) -> None:
        """Learn the brokers' clock from one's own Invoke."""
        is_own = tick.nonce == self._readiness.nonce
        if is_own and self._clock.hear(tick.written_us, appended_ms, time.monotonic()):
            # Set by the clock as it was: each shard sets a new one with its next tick.
            self._alarms.forget()

    def _settle(self, address: str, read: OutcomeRead) -> None:
        """Tell the ledger of an outcome, whether or not it applies: it was paid."""
        spec = self._around(address.partition("/")[0]).spec
        tenant = read.outcome.tenant
        if not tenant:
            # An operator's control ends the turn in flight: what is held for it is freed.
            tenant = tenant_of(spec.tenancy if spec is not None else _NO_TENANCY, read.outcome.key)
        # A ledger that knows the registry judges by itself what counts.
        self._billing.settle(read, tenant, is_sure=self._horizon.is_complete)

    def _set_aside(self, journaled: Journaled, problem: str) -> None:
        self._outputs.set_record_aside(journaled, problem, self._part)

    def _wake(self, shard: Shard, address: str) -> None:
        try:
            control = shard.control_of(address)
        except StateVersionError:
            # Its name stays in `due` for a version that can read it, and wakes it.
            shard.wake_at(address, self._now_ms + UNREADABLE_MS)
            return
        if control is None:
            return
        # A restored Gate learns here of instances that it has not seen in this life.
        self._metrics.see(address, control)
        if not control.wake_ms:
            return
        around = self._around(address.partition("/")[0])
        if control.wake_ms <= self._now_ms or may_be_paid_now(control, around):
            rest_ms = rests_until(control, around)
            if not rest_ms:
                self._step(shard, address, TimerFired())
                return
            # Not worth a write: a next life looks at once, and rests as well.
            control.wake_ms = rest_ms
        shard.wake_at(address, control.wake_ms)

    def _wake_resumed(self, shard: Shard) -> None:
        """Wake instances whose agent is no longer paused, or that wait for a budget that was
        changed.

        Each would look by itself, but only after half a minute, or when the window turns. A tick
        comes to every shard within a second, and nothing else does so surely.
        """
        shown = self._horizon.shown
        if shown.budgets is not shard.budgets:
            shard.budgets = shown.budgets
            for address in shard.waiting():
                # By the alarm, so many at a time: it may be all that there are.
                shard.wake_by(address, self._now_ms)
        paused = shown.paused
        if paused is shard.paused:
            return
        resumed = shard.paused - paused
        shard.paused = paused
        for address in shard.waiting_of(resumed):
            self._step(shard, address, TimerFired())

    # ------------------------------------------------------------------------------------- step

    def _step(self, shard: Shard, address: str, given: Input) -> None:
        try:
            control = shard.control_of(address)
            is_outcome = type(given) is OutcomeRead
            if is_outcome and control is not None and control.HasField("in_flight"):
                self._horizon.patience.learn(self._now_ms - control.in_flight.sent_ms)
            snapshot = Snapshot(address, control, shard.items_of(address))
            agent_type = address.partition("/")[0]
            around = self._around(agent_type)
            made = step(snapshot, given, around)
        except StateVersionError as error:
            self._refuse(shard, address, given, error)
            return
        shard.keep(address, made.control, made.puts)
        self._tally.count(agent_type, address, given, made)
        if made.parked_by:
            self._metrics.parked(shard.number, address, made.parked_by)
        if made.set_timer_ms:
            # A timer that is to be deleted stays: woken in vain, the instance says so.
            shard.wake_at(address, made.set_timer_ms)
        elif made.wake_ms and made.control is not None:
            # The control record may have lost a rest that was never written (`_wake`), and take it
            # for the earlier wake-up that it had before.
            shard.wake_by(address, made.wake_ms)
        if made.control is not None:
            self._press(address, made.control, around.spec)
        if made.note == "applied":
            self._outputs.answered(address)
        for effect in made.effects:
            self._outputs.carry_out(address, shard.number, effect)

    def _press(self, address: str, control: StoredControl, spec: AgentSpec | None) -> None:
        """Tell intake where a mailbox has become full, or has room again."""
        pressure = self._pressure
        was_full = pressure.was_full(address)
        is_full = spec is not None and holds_back(control, spec.policy, was_full=was_full)
        if (is_full or was_full) and pressure.is_news(address, self._now_ms, is_full=is_full):
            self._outputs.press(address, is_full=is_full)

    def _refuse(self, shard: Shard, address: str, given: Input, error: StateVersionError) -> None:
        """Set an input aside whose instance cannot be read; the instance stays as it is stored."""
        shard.forget(address)
        letter = letter_for_refused(given, address, error, self._settings.topics.journal)
        if letter is not None:
            letter.id = part_id(letter.id, self._part)
            self._outputs.carry_out(address, shard.number, DeadLettered(letter))

    def _around(self, agent_type: str) -> Surroundings:
        return self._horizon.of(agent_type)

    # ------------------------------------------------------------------------- around a record

    def _enter(self, number: int) -> Shard:
        """Begin a record; return its shard, whose key must be Flink's current one."""
        self._now_ms = time.time_ns() // 1_000_000 + self._clock.ahead_ms
        self._part = 0
        self._horizon.begin(self._now_ms, time.monotonic(), self._table)
        shard = self._shards.get(number)
        if shard is None:
            key = self._settings.shard_keys[number]
            shard = self._shards[number] = Shard(number, key, self._entries, self._due)
            self._metrics.begin_shard(number)
        return shard

    def _finish(self, shard: Shard, ctx: Any) -> list[Output | Sided]:
        """Write what the record changed, see to the shard's alarm, hand over what came of it."""
        shard.write()
        moment = self._horizon.moment
        if moment >= self._metrics.show_at:
            self._metrics.show(self._horizon.shown, self._now_ms, moment)
        stir_ms = self._now_ms + STIR_MS
        wanted = min(shard.next_wake_ms() or stir_ms, stir_ms)
        self._alarms.see_to(
            shard.number, wanted, ctx, now_ms=self._now_ms, ahead_ms=self._clock.ahead_ms
        )
        return self._outputs.give()
