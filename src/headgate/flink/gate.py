"""Gate: the keyed operator that hosts `core.step`. Thin: state in, step, effects out.

Two inputs, both keyed by address: what comes from outside (events, controls) and the journal.
Rows are `(address, kind, payload)` and `(address, payload, partition, offset, appended_ms)`.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from pyflink.datastream import OutputTag, RuntimeContext
from pyflink.datastream.functions import KeyedCoProcessFunction

from headgate.core import codec
from headgate.core.letters import letter_for_event, letter_for_record
from headgate.core.machine import step
from headgate.core.model import (
    ControlArrived,
    DeadLettered,
    Decide,
    Effect,
    Emit,
    EventArrived,
    Input,
    OutcomeRead,
    RecordHistory,
    SendRequest,
    Snapshot,
    Surroundings,
    TimerFired,
)
from headgate.core.patience import Patience
from headgate.core.readiness import Readiness
from headgate.flink.rows import KIND_EVENT, SINK_ROW, SinkRow
from headgate.flink.storage import StoredItems, StoredValue
from headgate.kafka.registry import RegistryTable
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import (
    Control,
    Hello,
    InvokeRequest,
    JournalRecord,
    StoredControl,
)

log = logging.getLogger(__name__)

OUTBOX = OutputTag("outbox", SINK_ROW)
HISTORY = OutputTag("history", SINK_ROW)
DEAD_LETTERS = OutputTag("dead-letters", SINK_ROW)

SILENCE_SECONDS = 5.0
"""After this long without a tick Invoke, or the journal between, may be gone: requests are sent
again, and a dispatcher that cannot journal any more gets the chance to say so.
"""

REMEMBERED_INSTANCES = 20_000
"""Control records kept as objects, newest used last: a read from RocksDB and a parse less for each
input of a busy instance. About 1 KB each. They are written through, and nobody else writes them.
"""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What Gate needs to know. ``tick_keys[n]`` is a key that Flink gives to subtask n."""

    bootstrap: str
    registry: str
    journal: str
    tick_keys: tuple[str, ...]


class Gate(KeyedCoProcessFunction):
    """Runs one step for every input; emits requests, and records to side outputs."""

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open state and follow the registry."""
        self._control = StoredValue(runtime_context)
        self._items = StoredItems(runtime_context)
        # PyFlink's own getter is broken in thread mode; the Java object behind it is not.
        info = runtime_context._runtime_context.getTaskInfo()
        self._tick_key = self._settings.tick_keys[info.getIndexOfThisSubtask()]
        self._begin_life()
        self._registry = RegistryTable(self._settings.bootstrap, self._settings.registry)

    def _begin_life(self) -> None:
        """What Gate knows in memory alone: gone with a failover, made anew by the next life."""
        self._readiness = Readiness(nonce=os.urandom(8))
        self._ticked_at = time.monotonic()
        self._patience = Patience()
        self._has_greeted = False
        self._held_back: dict[str, bytes] = {}
        self._known: dict[str, StoredControl] = {}

    def close(self) -> None:
        """Stop following the registry."""
        self._registry.close()

    # ----------------------------------------------------------------------------------- inputs

    def process_element1(self, value: Any, ctx: Any) -> list[Any]:
        """Take an event or a control."""
        address, kind, payload = value
        given: Input
        if kind == KIND_EVENT:
            given = EventArrived(Event.FromString(payload))
        else:
            given = ControlArrived(Control.FromString(payload))
        return self._greeting() + self._step(address, given, ctx)

    def process_element2(self, value: Any, ctx: Any) -> list[Any]:
        """Take a record of the journal."""
        address, payload, partition, offset, appended_ms = value
        out = self._greeting()
        payload = bytes(payload or b"")
        try:
            record = JournalRecord.FromString(payload)
            kind = record.WhichOneof("kind")
        except DecodeError as error:
            kind, problem = None, str(error)
        else:
            problem = "it is neither an outcome nor a tick"
        if kind == "tick":
            self._ticked_at = time.monotonic()
            if self._readiness.see(record.tick):
                log.info("gate is ready, %d requests were held back", len(self._held_back))
                out.extend(self._held_back.values())
                self._held_back.clear()
            return out
        if kind == "outcome":
            outcome = record.outcome
            if f"{outcome.agent_type}/{outcome.key}" == address:
                given = OutcomeRead(outcome, payload, appended_ms, partition, offset)
                return out + self._step(address, given, ctx)
            problem = f"it is keyed {address!r} but names {outcome.agent_type}/{outcome.key}"
        letter = letter_for_record(
            reason="bad_journal_record",
            message=f"{self._settings.journal}/{partition}@{offset}: no journal record of "
            f"Headgate's: {problem}; find out who wrote it",
            topic=self._settings.journal,
            partition=partition,
            offset=offset,
            timestamp_ms=appended_ms,
            key=(address or "").encode(),
            value=payload,
        )
        return out + self._carry_out(address or "", DeadLettered(letter))

    def on_timer(self, timestamp: int, ctx: Any) -> list[Any]:
        """Wake an instance up."""
        return self._greeting() + self._step(ctx.get_current_key(), TimerFired(), ctx)

    # ------------------------------------------------------------------------------------- step

    def _step(self, address: str, given: Input, ctx: Any) -> list[Any]:
        control = self._known.pop(address, None)
        if control is None:
            raw = self._control.get()
            try:
                control = None if raw is None else codec.decode_control(raw, address)
            except codec.StateVersionError as error:
                return self._refuse(address, given, str(error))
        agent_type = address.partition("/")[0]
        now_ms = time.time_ns() // 1_000_000
        around = Surroundings(
            now_ms=now_ms,
            spec=self._registry.get(agent_type),
            registry_complete=self._registry.is_complete,
            promise=self._promise(),
            patience_ms=self._patience.milliseconds,
        )
        if type(given) is OutcomeRead and control is not None and control.HasField("in_flight"):
            self._patience.learn(now_ms - control.in_flight.sent_ms)
        made = step(Snapshot(address, control, self._items), given, around)
        for name, value in made.puts.items():
            self._items.put(name, value)
        if made.control is not None:
            self._control.put(codec.encode_control(made.control))
            control = made.control
        if control is not None:
            self._remember(address, control)
        if made.delete_timer_ms:
            ctx.timer_service().delete_processing_time_timer(made.delete_timer_ms)
        if made.set_timer_ms:
            ctx.timer_service().register_processing_time_timer(made.set_timer_ms)
        if not self._readiness.is_ready and made.note == "applied":
            self._held_back.pop(address, None)
        return [out for effect in made.effects for out in self._carry_out(address, effect)]

    def _promise(self) -> bytes:
        """What Invoke promises; nothing once it has been silent for some ticks."""
        silent = time.monotonic() - self._ticked_at
        return b"" if silent > SILENCE_SECONDS else self._readiness.promise

    def _refuse(self, address: str, given: Input, problem: str) -> list[Any]:
        """Set aside what is for an instance whose state cannot be read; others go on.

        Its state stays as it is: a version of Headgate that can read it takes up from there.
        """
        log.error("%s", problem)
        message = f"{problem}; run the newer version, then replay this dead letter"
        match given:
            case EventArrived(event):
                letter = letter_for_event(event, address, reason="state_version", message=message)
                # No turn gives it an id and a time.
                origin = event.origin
                letter.id = f"{origin.topic}/{origin.partition}/{origin.offset}"
                letter.at_ms = origin.timestamp_ms
            case OutcomeRead(_, raw, appended_ms, partition, offset):
                letter = letter_for_record(
                    reason="state_version",
                    message=message,
                    topic=self._settings.journal,
                    partition=partition,
                    offset=offset,
                    timestamp_ms=appended_ms,
                    key=address.encode(),
                    value=raw,
                    address=address,
                )
            case _:
                return []
        return self._carry_out(address, DeadLettered(letter))

    def _remember(self, address: str, control: StoredControl) -> None:
        self._known[address] = control
        if len(self._known) > REMEMBERED_INSTANCES:
            del self._known[next(iter(self._known))]

    def _carry_out(self, address: str, effect: Effect) -> list[Any]:
        key = address.encode()
        match effect:
            case SendRequest(call):
                return self._request(address, InvokeRequest(call=call))
            case Decide(outcome):
                return self._request(address, InvokeRequest(decide=outcome))
            case Emit(value):
                return [(OUTBOX, SinkRow(key, value))]
            case RecordHistory(value):
                return [(HISTORY, SinkRow(key, value))]
            case DeadLettered(letter):
                return [(DEAD_LETTERS, SinkRow(key, letter.SerializeToString()))]

    def _request(self, address: str, request: InvokeRequest) -> list[bytes]:
        raw = request.SerializeToString()
        if self._readiness.is_ready:
            return [raw]
        # Its outcome may be in the part of the journal that is still to be read. The newest per
        # instance is enough; what an outcome answers meanwhile is dropped.
        self._held_back[address] = raw
        return []

    def _greeting(self) -> list[bytes]:
        if self._has_greeted:
            return []
        self._has_greeted = True
        hello = Hello(nonce=self._readiness.nonce, tick_key=self._tick_key.encode())
        return [InvokeRequest(hello=hello).SerializeToString()]
