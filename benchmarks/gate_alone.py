"""A Gate without a cluster, as `benchmarks.instructions` counts it: `python -m
benchmarks.gate_alone SWITCH TURNS`, where SWITCH is `callgrind_switch.c` as a library.

It takes a record of events each, and one of outcomes, as many in it as a loaded Invoke writes; only
its own calls are counted, not what makes its inputs. Before each, the processor's caches get other
things to hold, as they do in a TaskManager. Times and random bytes are the same in every run.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import sys
import time
from collections.abc import Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

from benchmarks.core import SPEC
from headgate.bootstrap import Bootstrap
from headgate.core import trace
from headgate.core.batch import pack_records
from headgate.core.calls import calls_made
from headgate.core.identity import partition_of
from headgate.core.outcome import outcome_of
from headgate.flink.exposed import Exposed
from headgate.flink.gate import Gate, GateSettings
from headgate.flink.outputs import Topics
from headgate.flink.rows import REQUESTED
from headgate.kafka.table import Shown
from headgate.sim.ledger import Entries
from headgate.v1.agent_pb2 import (
    Event,
    Mutation,
    Origin,
    Output,
    TurnReply,
)
from headgate.v1.turn_pb2 import (
    Call,
    GateInput,
    InvokeRequest,
    JournalRecord,
    Tick,
)

INSTANCES = 5_000
PARTITIONS = ("a", "b", "c", "d")
# As `ladder` has them while it drains a backlog.
OUTCOMES_PER_RECORD = 15
TURNS_PER_SECOND = 900
WARM_TURNS = 4_000
# Instrumented, and not counted: what is translated for the first time.
FIRST_TURNS = 300
CACHES_BYTES = 2_000_000
EPOCH_NS = 1_790_000_000_000_000_000

_TOPICS = Topics(
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


class Switch:
    """Counts what is done within it."""

    def __init__(self, library: str) -> None:
        """library: `callgrind_switch.c`, compiled."""
        self._library = ctypes.PyDLL(library)
        self._others = bytes(CACHES_BYTES), bytearray(CACHES_BYTES)

    def begin(self) -> None:
        """Instrument from here on, and count nothing yet."""
        self._library.begin()

    def end(self) -> None:
        """Leave it be."""
        self._library.end()

    def __enter__(self) -> None:
        other, place = self._others
        place[:] = other
        self._library.toggle()

    def __exit__(self, *_: object) -> None:
        self._library.toggle()


class Alone:
    """One Gate of one subtask, what has asked of it, and what has not been answered."""

    def __init__(self, switch: Switch) -> None:
        """Begin its first life; its registry knows one agent, and its Invoke has ticked."""
        self._count = switch
        self._numbers = 0
        self._random = random.Random(5)
        self._calls: list[list[Call]] = [[] for _ in PARTITIONS]
        self._context = SimpleNamespace(
            timer_service=lambda: SimpleNamespace(register_processing_time_timer=lambda _: None),
            get_current_key=lambda: "",
        )
        self._gate = _gate()
        for number, key in enumerate(PARTITIONS):
            tick = Tick(
                nonce=self._gate._readiness.nonce,
                start=True,
                partition=number,
                partitions=len(PARTITIONS),
            )
            self._journaled(number, key, [JournalRecord(tick=tick)])

    def fill(self, events: int) -> None:
        """Let events come that nobody has answered yet."""
        for _ in range(events):
            self._noted(self._gate.process_element1(self._event(), self._context))

    def take(self, turns: int) -> int:
        """Take turns, an event for each; return how many it became."""
        done = 0
        while done < turns:
            events = [self._event() for _ in range(OUTCOMES_PER_RECORD)]
            with self._count:
                made = [self._gate.process_element1(each, self._context) for each in events]
            for each in made:
                self._noted(each)
            number = max(range(len(PARTITIONS)), key=lambda each: len(self._calls[each]))
            calls = self._calls[number]
            taken, calls[:] = calls[:OUTCOMES_PER_RECORD], calls[OUTCOMES_PER_RECORD:]
            self._journaled(number, PARTITIONS[number], [_answered(call) for call in taken])
            done += len(taken)
        return done

    def _journaled(self, number: int, key: str, records: Sequence[JournalRecord]) -> None:
        self._numbers += 1
        packed = pack_records(
            [record.SerializeToString() for record in records],
            calls_made(record.outcome for record in records),
        )
        row = key, packed, number, self._numbers, time.time_ns() // 1_000_000
        with self._count:
            made = self._gate.process_element2(row, self._context)
        self._noted(made)

    def _event(self) -> bytes:
        self._numbers += 1
        number = self._numbers
        address = f"echo/k{self._random.randrange(INSTANCES)}"
        event = Event(
            id=f"e{number}",
            source="kafka:events",
            type="message",
            data=b'{"sent":17,"text":"hello there it is turn","n":%d}' % number,
            origin=Origin(topic="events", partition=2, offset=number, timestamp_ms=1_000),
            fingerprint=self._random.randbytes(16),
        )
        shard = partition_of(address.encode(), len(PARTITIONS))
        return GateInput(address=address, shard=shard, event=event).SerializeToString()

    def _noted(self, made: Sequence[Any]) -> None:
        """Keep the calls that it asked for."""
        for each in made:
            if each[0] is not REQUESTED:
                continue
            request = InvokeRequest.FromString(each[1])
            for raw in request.batch.requests if request.HasField("batch") else [each[1]]:
                one = InvokeRequest.FromString(raw)
                if one.HasField("call"):
                    self._calls[one.call.partition].append(one.call)


def main() -> None:
    """Take turns, uncounted ones first; print how many were counted."""
    library, turns = sys.argv[1], int(sys.argv[2])
    gc.disable()
    switch = Switch(library)
    _same_each_time()
    alone = Alone(switch)
    alone.fill(500)
    alone.take(WARM_TURNS)
    switch.begin()
    alone.take(FIRST_TURNS)
    switch.begin()
    print(alone.take(turns))
    switch.end()


def _gate() -> Any:
    # Its state is a dict, and what PyFlink would give it is what a life begins with.
    gate: Any = Gate(GateSettings(Bootstrap("127.0.0.1:9"), "registry", _TOPICS, PARTITIONS))
    gate._entries, gate._due, gate._parked_counts = Entries(), Entries(), Entries()
    gate._exposed = Exposed(_Group())
    gate._begin_life(0, 1)
    gate._table = SimpleNamespace(shown=Shown({SPEC.type: SPEC}, position=7), is_complete=True)
    return gate


class _Group:
    """Flink's metric groups, which keep nothing here."""

    def addGroup(self, *_: str) -> _Group:  # noqa: N802 - Flink's name
        return self

    def counter(self, _: str) -> Any:
        return SimpleNamespace(inc=lambda _: None)


def _answered(call: Call) -> JournalRecord:
    request = call.request
    # As this tree's Invoke does; of a copy without tracing it is not carried on.
    trace.begin(call)
    reply = TurnReply(
        request_id=request.request_id,
        base=request.base,
        taken_event_ids=[event.id for event in request.events],
        mutations=[Mutation(name="count", set=b"%d" % request.turn)],
        outputs=[Output(type="echo.reply", data=b'{"count":%d,"text":"hello"}' % request.turn)],
        revision="1",
    )
    reply.completed.SetInParent()
    record, now_us = JournalRecord(), time.time_ns() // 1_000
    outcome_of(
        call,
        # As it comes over the wire.
        TurnReply.FromString(reply.SerializeToString()),
        outcome_id=os.urandom(16),
        called_us=now_us - 5_000,
        answered_us=now_us,
        max_record_bytes=1_000_000,
        into=record.outcome,
    )
    return record


def _same_each_time() -> None:
    """A clock that goes on with each record, and random bytes of a seed: what is done is the same,
    and as much of it is done once a second, under valgrind too.
    """
    modules: Any = os, time
    the_os, the_time = modules
    now = [EPOCH_NS]
    # For each record of outcomes there are as many of events.
    step = 10**9 * OUTCOMES_PER_RECORD // (TURNS_PER_SECOND * (OUTCOMES_PER_RECORD + 1))

    def time_ns() -> int:
        now[0] += step
        return now[0]

    the_time.time_ns, the_time.time = time_ns, lambda: now[0] / 1e9
    # As quick as the true one, and asked for as often as the other.
    the_time.monotonic = count(1_000.0, step / 1e9).__next__
    the_os.urandom = random.Random(1).randbytes


if __name__ == "__main__":
    main()
