"""What leaves Gate with a record: records for the sinks, and requests for Invoke.

Gathered while the record is worked on, handed over as a few tuples `(topic, key, value)`. Requests
have a side output; those of one record go together.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from pyflink.datastream import OutputTag

from headgate.core.apply import HISTORY_VERSION
from headgate.core.batch import pack_requests
from headgate.core.billing import Billing
from headgate.core.identity import key_in
from headgate.core.letters import letter_for_record, part_id
from headgate.core.model import (
    DeadLettered,
    Decide,
    Effect,
    Emit,
    Parking,
    Post,
    RecordHistory,
    Replied,
    SendRequest,
)
from headgate.core.prices import NO_TERMS
from headgate.core.readiness import Readiness
from headgate.flink.rows import BILLED, REQUESTED, LightRow
from headgate.flink.tally import Tally
from headgate.sealing.places import Seals
from headgate.v1.cost_pb2 import Terms
from headgate.v1.turn_pb2 import (
    Call,
    DeadLetter,
    Decision,
    Hello,
    HistoryRecord,
    InstanceReport,
    InvokeRequest,
    Note,
    Shard,
    Tick,
)

log = logging.getLogger(__name__)

HELD_BYTES = 64_000_000
"""Requests held back at most. What is more is let go and made again when Gate is ready: a restored
Gate asks for all instances that wait, and a million requests with their state would end it again.
"""

Output = tuple[str, bytes, bytes]

Sided = tuple[OutputTag, LightRow | bytes]
"""A record for a side output."""

Journaled = tuple[str, Any, int, int, int]
"""A record of the journal: key, value, partition, offset, log-append time in milliseconds."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Where records go, and the journal, which bad records of it are named after."""

    journal: str
    outbox: str
    history: str
    dead_letters: str
    parked: str
    inbox: str
    answers: str
    pressure: str
    replies: str


class _Held(NamedTuple):
    """A request on its way: its bytes, and for the ledger its call and what that may cost."""

    raw: bytes
    call: Call | None = None
    estimate_nanos: int = 0


class Outputs:
    """Gathers outputs; requests are held back until the journal has been read (rule 7)."""

    def __init__(
        self,
        topics: Topics,
        readiness: Readiness,
        shards: Sequence[Shard],
        billing: Billing,
        tally: Tally,
        *,
        seals: Seals,
    ) -> None:
        """``shards`` are those of this Gate subtask: Invoke is greeted with them.

        Requests for agents with budgets go to the ledger, by ``billing``; ``tally`` counts what is
        given up. ``seals``: of the records of topics that have them.
        """
        self._seals = seals
        self._topics = topics
        self._tally = tally
        self._billing = billing
        self._terms = NO_TERMS
        self._readiness = readiness
        self._records: list[Output] = []
        hello = Hello(nonce=readiness.nonce, shards=shards)
        self._hello = InvokeRequest(hello=hello).SerializeToString()
        self._requests = [self._hello]
        self._held_back: dict[str, _Held] = {}
        self._held_bytes = 0
        self._has_let_go = False

    def carry_out(self, address: str, partition: int, effect: Effect) -> None:
        """Take what a step wants done; ``partition`` is that of the instance in the journal."""
        match effect:
            case SendRequest(call, request, estimate):
                request = request or InvokeRequest(call=call)
                request.call.partition = partition
                raw = request.SerializeToString()
                if self._readiness.is_ready and not self._billing.budgets.rules:
                    self._requests.append(raw)
                else:
                    self._request(address, _Held(raw, request.call, estimate))
            case Decide(outcome):
                decision = Decision(outcome=outcome, partition=partition)
                raw = InvokeRequest(decide=decision).SerializeToString()
                self._request(address, _Held(raw))
            case Emit(value):
                self._records.append((self._topics.outbox, address.encode(), value))
            case RecordHistory(value):
                self._record(self._topics.history, address, value)
            case DeadLettered(letter):
                self.set_aside(address.encode(), letter)
            case Parking(value):
                # Empty becomes null on its way to the sink: a tuple of Flink's holds no nulls.
                self._record(self._topics.parked, address, value)
            case Post(receiver, value):
                self._record(self._topics.inbox, receiver, value)
            case Replied(request_id, value):
                self._record(self._topics.replies, request_id, value)
            case _ as never:
                assert_never(never)

    def greet(self) -> None:
        """Greet Invoke again, as at the start: it ticks once more, or is missed."""
        self._requests.append(self._hello)

    def agree(self, terms: Terms) -> None:
        """Tell Invoke what calls cost, if that is news."""
        if terms is not self._terms:
            self._terms = terms
            self._requests.append(InvokeRequest(terms=terms).SerializeToString())

    def answer(self, request_id: str, report: InstanceReport) -> None:
        """Tell whoever asked, through Invoke. It waits for no start tick: nothing comes of it."""
        self._note(self._topics.answers, request_id, report.SerializeToString())

    def press(self, address: str, *, is_full: bool) -> None:
        """Tell intake, wherever it runs, that a mailbox is full or has room again."""
        self._note(self._topics.pressure, address, b"full" if is_full else b"")

    def set_aside(self, key: bytes, letter: DeadLetter) -> None:
        """Write a dead letter."""
        self._tally.gave_up(letter.address.partition("/")[0], letter.reason)
        self._seal(self._topics.dead_letters, key, letter.SerializeToString())

    def set_record_aside(self, record: Journaled, problem: str, part: int = 0) -> None:
        """Write the dead letter of a record of the journal that nobody can use.

        part: which of its batch cannot be used, counted from 0.
        """
        key, value, partition, offset, appended_ms = record
        letter = letter_for_record(
            reason="bad_journal_record",
            message=f"{self._topics.journal}/{partition}@{offset}: no journal record of "
            f"Headgate's: {problem}; find out who wrote it",
            topic=self._topics.journal,
            partition=partition,
            offset=offset,
            timestamp_ms=appended_ms,
            key=(key or "").encode(),
            value=bytes(value or b""),
        )
        letter.id = part_id(letter.id, part)
        self.set_aside(letter.record_key, letter)

    def see(self, tick: Tick) -> None:
        """Take a tick in; the last start tick lets go of what was held back."""
        if self._readiness.see(tick):
            log.info("gate is ready, %d requests were held back", len(self._held_back))
            for held in self._held_back.values():
                self._let_go(held)
            self._held_back.clear()
            if self._has_let_go:
                # Nobody knows any more which: all are sent again, and Invoke knows repeats.
                self._readiness.renew()

    def close(self, partition: int, partitions: int, read_ms: int) -> None:
        """Say in the history that a moment has passed for a partition of the journal.

        read_ms: log-append time of a record there. What comes after it is not dated before it, but
            may be of the same millisecond.
        """
        closed = HistoryRecord(schema_version=HISTORY_VERSION)
        closed.closed.partition, closed.closed.until_us = partition, read_ms * 1_000 - 1
        key = key_in(partition, partitions)
        self._seal(self._topics.history, key, closed.SerializeToString())

    def answered(self, address: str) -> None:
        """Forget what is held back for an instance: an earlier life's outcome answers it."""
        if self._held_back:
            held = self._held_back.pop(address, None)
            self._held_bytes -= 0 if held is None else len(held.raw)

    def give(self) -> list[Output | Sided]:
        """Hand over what has been gathered."""
        out: list[Output | Sided] = [*self._records]
        self._records.clear()
        if self._requests:
            out += [(REQUESTED, each) for each in pack_requests(self._requests)]
            self._requests = []
        if self._billing.gathered:
            out += [(BILLED, LightRow(*each)) for each in self._billing.give()]
        return out

    def _record(self, topic: str, key: str, value: bytes) -> None:
        self._seal(topic, key.encode(), value)

    def _seal(self, topic: str, key: bytes, value: bytes) -> None:
        self._records.append((topic, key, self._seals.seal(topic, key, value)))

    def _note(self, topic: str, key: str, value: bytes) -> None:
        raw = key.encode()
        note = Note(topic=topic, key=raw, value=self._seals.seal(topic, raw, value))
        self._requests.append(InvokeRequest(note=note).SerializeToString())

    def _request(self, address: str, held: _Held) -> None:
        if self._readiness.is_ready:
            self._let_go(held)
        else:
            # Its outcome may be in the part of the journal that is still to be read. The newest
            # per instance is enough.
            self.answered(address)
            if self._held_bytes + len(held.raw) > HELD_BYTES:
                self._has_let_go = True
                return
            self._held_back[address] = held
            self._held_bytes += len(held.raw)

    def _let_go(self, held: _Held) -> None:
        call = held.call
        if call is not None and self._billing.is_counted(call.tenant, call.request.agent_type):
            self._billing.ask(call, held.estimate_nanos, held.raw)
        else:
            self._requests.append(held.raw)
