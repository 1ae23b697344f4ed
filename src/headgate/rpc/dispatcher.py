"""The dispatcher: takes requests from Gate, calls agent services, journals what became of them.

It is one class without Flink in it, so that any host can carry it: today the worker process of
the async operator. All of it runs in one event loop. What it promises (rules 6, 7 and 12 of the
protocol):

- ``take`` returns at once, whatever services do. A slow agent fills its own queue; what does not
  fit is dropped, counted, and sent again by Gate.
- A call that is under way or journaled is not made again.
- Nothing is journaled that a sink could not write.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from headgate.core import trace
from headgate.core.batch import pack_records
from headgate.core.calls import calls_made
from headgate.core.identity import address_of
from headgate.core.outcome import failed_reply, outcome_of
from headgate.core.prices import NO_TERMS
from headgate.logs import about
from headgate.rpc.endpoint import EndpointLimits
from headgate.rpc.pending import Pending
from headgate.rpc.pools import Pools
from headgate.rpc.shares import shares_of
from headgate.v1.agent_pb2 import FAILURE_CODE_BAD_REPLY, FAILURE_CODE_UNKNOWN_AGENT, TurnReply
from headgate.v1.cost_pb2 import Terms
from headgate.v1.turn_pb2 import (
    Call,
    CallsTold,
    Decision,
    Hello,
    InvokeRequest,
    JournalRecord,
    Outcome,
    Tick,
)

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
"""Time between ticks: how old a view of "all is read" may be. Each costs a record per partition."""

REMEMBERED_CALLS = 100_000
"""Journaled calls that are remembered. A re-send reaches Invoke within 30 s of the outcome's
journaling, and 3,000 turns/s make 90,000 of them; forgetting one costs a call, not correctness.
"""


class Journal(Protocol):
    """Where outcomes and ticks go: ordered per partition, idempotent, never giving up."""

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Append a record. Raises if the journal can take no more, ever."""

    def note(self, topic: str, key: bytes, value: bytes) -> None:
        """Write a record to another topic, which nobody waits for to be there."""

    def is_full(self) -> bool:
        """Tell whether so much waits to be written that no new call should be made."""

    def raise_if_lost(self) -> None:
        """Raise what keeps the journal from taking any more, if anything does."""


@dataclass(frozen=True, slots=True)
class DispatcherLimits:
    """Bounds of one dispatcher. ``record_bytes``: the largest record any sink may be given.
    ``gather_seconds``: how long outcomes wait for others before they are journaled together.
    """

    endpoint: EndpointLimits
    record_bytes: int
    gather_seconds: float = 0.0


@dataclass(slots=True)
class Counts:
    """What a dispatcher has done, for metrics and tests."""

    calls: int = 0
    repeats: int = 0
    dropped: int = 0
    outcomes: int = 0
    late: int = 0


class Dispatcher:
    """Calls agent services and journals outcomes; see the module."""

    def __init__(
        self,
        journal: Journal,
        limits: DispatcherLimits,
        *,
        now_us: Callable[[], int],
        random_id: Callable[[], bytes],
    ) -> None:
        """``now_us`` is the wall clock in microseconds, ``random_id`` gives 16 fresh bytes."""
        self.counts = Counts()
        self._journal = journal
        self._limits = limits
        self._now_us = now_us
        self._random_id = random_id
        self._pools = Pools(
            limits.endpoint, on_reply=self._answered, on_dropped=self._dropped, now_us=now_us
        )
        self._terms = NO_TERMS
        self._under_way: set[bytes] = set()
        self._journaled: OrderedDict[bytes, None] = OrderedDict()
        self._ticking: asyncio.Task[None] | None = None
        # By partition: the key of its shard, and outcomes that wait for others.
        self._keys: dict[int, bytes] = {}
        self._gathered: dict[int, list[tuple[bytes, Outcome]]] = {}
        self._gathered_bytes = 0
        self._flushing: asyncio.Handle | None = None

    def take(self, request: InvokeRequest) -> None:
        """Take one request; never waits, never raises for what a service does.

        Raises:
            JournalLostError: the journal is beyond repair; the host must fail over.
        """
        self._journal.raise_if_lost()
        match request.WhichOneof("kind"):
            case "batch":
                for each in request.batch.requests:
                    self.take(InvokeRequest.FromString(each))
            case "call":
                self._call(request.call)
            case "decide":
                self._decide(request.decide)
            case "hello":
                self._greet(request.hello)
            case "note":
                note = request.note
                self._journal.note(note.topic, note.key, note.value)
            case "terms":
                self._agree(request.terms)

    async def close(self) -> None:
        """Stop ticking and close every connection. Calls under way are left unanswered."""
        self.flush()
        if self._ticking is not None:
            self._ticking.cancel()
        await self._pools.close()

    # ----------------------------------------------------------------------------------- calls

    def _call(self, call: Call) -> None:
        request, known = call.request, self._journaled
        name = request.request_id
        if name in self._under_way or name in known or request.base in known:
            self.counts.repeats += 1
            return
        if self._journal.is_full():
            self.counts.dropped += 1
            return
        self._under_way.add(name)
        trace.begin(call)
        if call.endpoint:
            self._pools.pool_of(call).submit(call)
        else:
            self._journal_reply(call, 0, _unknown(call))

    def _agree(self, terms: Terms) -> None:
        # Gate and ledger both tell them, each before the first call that they count for.
        if terms.updated_ms >= self._terms.updated_ms:
            self._terms = terms
            self._pools.share(shares_of(terms))

    def _answered(self, pending: Pending, reply: TurnReply) -> None:
        if pending.name not in self._under_way:
            self.counts.late += 1
            return
        if pending.called_us:
            self.counts.calls += 1
        self._journal_reply(pending.call, pending.called_us, reply)

    def _journal_reply(self, call: Call, called_us: int, reply: TurnReply) -> None:
        try:
            record = self._judge(call, called_us, reply)
        except Exception as error:
            # A bug. Its turn fails by policy, in sight, instead of being under way for ever.
            request = call.request
            told = about(
                address_of(request.agent_type, request.key),
                request.turn,
                request.attempt,
                request.traceparent,
            )
            log.exception(
                "the reply to turn %d of %s cannot be judged (trace %s)",
                request.turn,
                told["address"],
                told.get("trace_id", "none"),
                extra=told,
            )
            wrong = f"the reply cannot be judged: {type(error).__name__}: {error}"
            failed = failed_reply(call.request, FAILURE_CODE_BAD_REPLY, wrong)
            record = self._judge(call, called_us, failed)
        name = call.request.request_id
        self._under_way.discard(name)
        self._write(name, record, call.partition)

    def _judge(self, call: Call, called_us: int, reply: TurnReply) -> JournalRecord:
        record = JournalRecord()
        outcome_of(
            call,
            reply,
            outcome_id=self._random_id(),
            called_us=called_us,
            answered_us=self._now_us(),
            max_record_bytes=self._limits.record_bytes,
            terms=self._terms,
            into=record.outcome,
        )
        return record

    def _dropped(self, pending: Pending) -> None:
        self._under_way.discard(pending.name)
        self.counts.dropped += 1

    # --------------------------------------------------------------------------------- journal

    def _decide(self, decision: Decision) -> None:
        outcome = decision.outcome
        if outcome.outcome_id in self._journaled:
            self.counts.repeats += 1
            return
        self._write(outcome.outcome_id, JournalRecord(outcome=outcome), decision.partition)
        # Calls come by way of the ledger, decisions do not: one of this base may still be on its
        # way, and would be paid in vain.
        self._remember(outcome.base)

    def _write(self, name: bytes, record: JournalRecord, partition: int) -> None:
        self._gather(partition, record.SerializeToString(), record.outcome)
        self.counts.outcomes += 1
        self._remember(name)

    def _remember(self, name: bytes) -> None:
        self._journaled[name] = None
        if len(self._journaled) > REMEMBERED_CALLS:
            self._journaled.popitem(last=False)

    def _gather(self, partition: int, record: bytes, outcome: Outcome) -> None:
        """Let a record wait for others, but never for so many that a batch is too large."""
        if self._gathered_bytes + len(record) > self._limits.record_bytes // 2:
            self.flush()
        self._gathered.setdefault(partition, []).append((record, outcome))
        self._gathered_bytes += len(record)
        if self._flushing is None:
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_later(self._limits.gather_seconds, self.flush)

    def flush(self) -> None:
        """Journal what has been gathered.

        Raises:
            JournalLostError: the journal is beyond repair.
        """
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        gathered, self._gathered, self._gathered_bytes = self._gathered, {}, 0
        for partition, entries in gathered.items():
            records = [raw for raw, _ in entries]
            made = calls_made(outcome for _, outcome in entries) if len(entries) > 1 else None
            self._journal.write(partition, self._keys[partition], pack_records(records, made))

    # ----------------------------------------------------------------------------------- ticks

    def _greet(self, hello: Hello) -> None:
        self._keys = {shard.partition: shard.key for shard in hello.shards}
        self._tick(hello.nonce, start=True)
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = asyncio.get_running_loop().create_task(self._keep_ticking(hello.nonce))

    async def _keep_ticking(self, nonce: bytes) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._tick(nonce, start=False)

    def _tick(self, nonce: bytes, *, start: bool) -> None:
        # A tick says that all before it is written.
        self.flush()
        calls: CallsTold | None = CallsTold(
            endpoints=self._pools.stand(), repeats=self.counts.repeats
        )
        for partition, key in self._keys.items():
            tick = Tick(
                nonce=nonce,
                start=start,
                written_us=self._now_us(),
                partition=partition,
                partitions=len(self._keys),
                drops=self.counts.dropped,
                calls=calls,
            )
            # Once is enough: it is one Gate that reads all of them.
            calls = None
            self._journal.write(partition, key, JournalRecord(tick=tick).SerializeToString())


def _unknown(call: Call) -> TurnReply:
    message = (
        f"no agent type {call.request.agent_type!r} is attached; "
        "attach it, then replay the dead letter"
    )
    return failed_reply(call.request, FAILURE_CODE_UNKNOWN_AGENT, message)
