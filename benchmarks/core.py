"""What the pure core costs: one echo turn after the other, in this process, without any host."""

import json
import os
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import TypeVar

from benchmarks.measure import Result
from benchmarks.options import Options
from headgate.core.codec import encode_control
from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.identity import address_of, partition_of
from headgate.core.machine import step
from headgate.core.model import (
    EventArrived,
    Input,
    OutcomeRead,
    SendRequest,
    Snapshot,
    Surroundings,
    Transition,
)
from headgate.core.outcome import outcome_of
from headgate.sealing.keys import Listed
from headgate.sealing.sealer import Sealer
from headgate.v1.agent_pb2 import ADVICE_PARK, Event, Mutation, Output, TurnReply, TurnRequest
from headgate.v1.turn_pb2 import AgentSpec, InvokeRequest, JournalRecord, Policy, StoredControl

T = TypeVar("T")

INSTANCES = 500
"""Taken in turns, as those of a job are."""
WARM_UP_TURNS = 2_000
TURNS = 10_000
MAX_RECORD_BYTES = 1_000_000
NOW_MS = 1_700_000_000_000

SEALS = ("seal: journal", "open: journal")
"""Of the hosts, not of the core: what payload encryption costs for one record. Not in the sum."""

RULE = TopicRule("json", "record", "message", MAX_RECORD_BYTES)
POLICY = Policy(
    deadline_ms=60_000,
    max_attempts=3,
    backoff_initial_ms=100,
    backoff_max_ms=10_000,
    backoff_multiplier=2.0,
    backoff_jitter=0.2,
    max_batch=1,
    on_exhausted=ADVICE_PARK,
    max_state_bytes=1_000_000,
    log_window=100,
)
SPEC = AgentSpec(type="echo", endpoints=["127.0.0.1:7070"], policy=POLICY)


def run(options: Options) -> list[Result]:
    """Take turns and return the median of each operation, in the order in which a turn needs it."""
    options.say(f"core: {TURNS} turns of {INSTANCES} instances")
    bench = _Bench()
    for number in range(WARM_UP_TURNS):
        bench.turn(number)
    bench.spent.clear()
    for number in range(WARM_UP_TURNS, WARM_UP_TURNS + TURNS):
        bench.turn(number)
    rows = {name: median(spent) / 1000 for name, spent in bench.spent.items()}
    rows["all"] = sum(us for name, us in rows.items() if name not in SEALS)
    load = os.getloadavg()[0]
    return [{"what": name, "us_per_turn": us, "load_average": load} for name, us in rows.items()]


class _Bench:
    """The instances, and what each operation took in each turn, ns."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, list[int]] = defaultdict(list)
        self._controls: dict[str, StoredControl] = {}
        self._items: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        keys = f"k1:{b64encode(os.urandom(32)).decode()}"
        self._sealer = Sealer(Listed(lambda: keys))

    def turn(self, number: int) -> None:
        """Take one turn: from the record of its event to the applied outcome."""
        key = f"k{number % INSTANCES}"
        value = json.dumps({"sent": NOW_MS / 1000, "text": "hello there, it is turn", "n": number})
        record = Record("messages", 0, number, NOW_MS, key.encode(), value.encode(), {})
        read = self._timed("decode", lambda: decode(record, RULE))
        assert isinstance(read, Decoded)  # noqa: S101 - narrows the type; the record is ours
        address = address_of("echo", read.key)
        stored = self._timed("event: serialize", read.event.SerializeToString)
        event = self._timed("event: parse", lambda: Event.FromString(stored))
        made = self._step("step: event arrived", address, EventArrived(event))
        (sent,) = [effect for effect in made.effects if isinstance(effect, SendRequest)]
        raw = self._timed("request: serialize", (sent.raw_request or sent.call).SerializeToString)
        call = self._timed("request: parse", lambda: InvokeRequest.FromString(raw)).call
        reply = _answer(call.request, number)
        outcome_id = os.urandom(16)
        entry = JournalRecord()
        self._timed(
            "outcome_of",
            lambda: outcome_of(
                call,
                reply,
                outcome_id=outcome_id,
                called_us=NOW_MS * 1000,
                answered_us=NOW_MS * 1000 + 20_000,
                max_record_bytes=MAX_RECORD_BYTES,
                into=entry.outcome,
            ),
        )
        self._timed("partition", lambda: partition_of(address.encode(), 8))
        journaled = self._timed("journal: serialize", entry.SerializeToString)
        back = self._timed("journal: parse", lambda: JournalRecord.FromString(journaled)).outcome
        given = OutcomeRead(back, journaled, NOW_MS + number, 0, number)
        self._step("step: outcome read", address, given)
        place = address.encode()
        sealed = self._timed(SEALS[0], lambda: self._sealer.seal(journaled, place))
        self._timed(SEALS[1], lambda: self._sealer.open(sealed, place))

    def _step(self, name: str, address: str, given: Input) -> Transition:
        control, items = self._controls.get(address), self._items[address]
        made = self._timed(
            name,
            lambda: step(
                Snapshot(address, control, items), given, Surroundings(NOW_MS, SPEC, promise=b"p")
            ),
        )
        for item, value in made.puts.items():
            if value is None:
                items.pop(item, None)
            else:
                items[item] = value
        changed = made.control
        if changed is not None:
            self._controls[address] = changed
            self._timed(f"{name}: encode", lambda: encode_control(changed))
        return made

    def _timed(self, name: str, work: Callable[[], T]) -> T:
        began = time.perf_counter_ns()
        done = work()
        self.spent[name].append(time.perf_counter_ns() - began)
        return done


def _answer(request: TurnRequest, number: int) -> TurnReply:
    reply = TurnReply(
        request_id=request.request_id,
        base=request.base,
        taken_event_ids=[event.id for event in request.events],
        mutations=[Mutation(name="count", set=b"%d" % number)],
        outputs=[Output(type="echo.reply", data=b'{"count":%d,"text":"hello there"}' % number)],
        revision="1",
    )
    reply.completed.SetInParent()
    return TurnReply.FromString(reply.SerializeToString())
