"""A whole Headgate in memory: topics, Gate, Invoke, agents, checkpoints, crashes.

Nothing happens by itself: whoever drives a world says what comes next, in any order that the real
parts could show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.core.billing import Billed, Billing
from headgate.core.identity import digest
from headgate.core.inbox import arrived
from headgate.core.model import Decide, EventArrived, OutcomeRead, SendRequest
from headgate.core.readiness import Readiness
from headgate.core.till import Rules
from headgate.sim.agents import SimAgent
from headgate.sim.broker import Clock, Cursor, Topic, Written
from headgate.sim.gate import Gate, Request, Sinks, Watch
from headgate.sim.invoke import Invoke, Key
from headgate.sim.ledger import Books, Ledger, Money
from headgate.sim.store import Store
from headgate.v1.agent_pb2 import Event, Origin, TurnRequest
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Call,
    Control,
    InboxRecord,
    InvokeRequest,
    JournalRecord,
    Signal,
)

INBOX_PARTITIONS = 2

Posted = list[tuple[str, bytes]]
"""Addresses and InboxRecords that Gate has posted and the inbox has not taken, in their order."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that Flink restores."""

    store: Store
    events: Cursor
    inbox: Cursor
    journal: Cursor
    books: dict[int, Books]


@dataclass(frozen=True, slots=True)
class PaidCall:
    """A call that was made of an agent, and by which life of Invoke."""

    address: str
    request: TurnRequest
    life: int


@dataclass(slots=True)
class PaidTwice:
    """Calls made although the journal had an outcome for their base."""

    known: list[PaidCall] = field(default_factory=list)
    """Gate was past that outcome, or this Invoke had written it: the protocol forbids these."""

    late: list[PaidCall] = field(default_factory=list)
    """A dead Invoke's outcome came after the start tick: nobody could know. Counted."""


class World:
    """The parts of a running job, and everything that can happen to them."""

    def __init__(
        self,
        agents: Mapping[str, SimAgent],
        specs: Mapping[str, AgentSpec],
        *,
        topics: Mapping[str, int],
        journal_partitions: int = 2,
        skew_ms: int = 0,
        watch: Watch | None = None,
        money: Money | None = None,
    ) -> None:
        self.money = money or Money()
        self.agents, self.specs = agents, specs
        self.clock = Clock()
        self.skew_ms, self.watch = skew_ms, watch
        self.places = [(topic, n) for topic, count in topics.items() for n in range(count)]
        # One partition of one topic each: events are read from any of them in any order.
        self.events: Topic[tuple[str, Event]] = Topic("events", len(self.places))
        self.inbox: Topic[tuple[str, bytes]] = Topic("inbox", INBOX_PARTITIONS)
        # Messages that dead lives had posted and that no broker took, of each life in order.
        self.strays: list[Posted] = []
        self.journal: Topic[Written] = Topic("journal", journal_partitions)
        self.sinks = Sinks()
        self.calls: list[PaidCall] = []
        self.paid_twice = PaidTwice()
        self.zombies: list[Invoke] = []
        self.lost_requests = 0
        self.lose = 0
        self.crashes = 0
        # Whether an older checkpoint was restored: outputs then come again, with the same ids.
        self.reemits = False
        self._ids = 0
        self._life = 0
        self.checkpoints: list[Checkpoint] = [
            Checkpoint(
                Store(),
                Cursor.at_start(self.events),
                Cursor.at_start(self.inbox),
                Cursor.at_start(self.journal),
                {},
            )
        ]
        self._begin(self.checkpoints[0])

    # ------------------------------------------------------------------------------------ lives

    def _begin(self, checkpoint: Checkpoint) -> None:
        self._life += 1
        self.read_events = checkpoint.events.copy()
        self.inbox_cursor = checkpoint.inbox.copy()
        self.read_journal = checkpoint.journal.copy()
        # Where this life's start ticks stand, by partition of the journal.
        self.start_ticks: dict[int, int] = {}
        # Messages that the inbox's producer holds.
        self.posted: Posted = []
        self.said_hello = False
        self.invoke = Invoke(
            life=self._life,
            clock=self.clock,
            journal=self.journal,
            agents=self.agents,
            fresh_id=self._fresh_id,
            on_call=self._paid,
            skew_ms=self.skew_ms,
            terms=self.money.terms,
        )
        # It waits for the registry before it takes anything.
        rules = Rules.of(self.specs, self.money.budgets, self.money.terms)
        books = {shard: each.copy() for shard, each in checkpoint.books.items()}
        self.ledger = Ledger(books, rules)
        shards = len(self.journal.partitions)
        self.gate = Gate(
            store=checkpoint.store.copy(),
            clock=self.clock,
            sinks=self.sinks,
            readiness=Readiness(digest("nonce", self._life, size=8)),
            send=self._send,
            post=self._post,
            billing=Billing([f"shard-{number}" for number in range(shards)]),
            send_billed=self._bill,
            budgets=self.money.budgets,
            watch=self.watch,
        )

    def checkpoint(self) -> None:
        """Complete a checkpoint: state, positions and timers are kept, sinks commit or flush."""
        while self.deliver() or self.read_ledger():
            pass
        self.checkpoints.append(
            Checkpoint(
                self.gate.store.copy(),
                self.read_events.copy(),
                self.inbox_cursor.copy(),
                self.read_journal.copy(),
                self.ledger.snapshot(),
            )
        )
        self.sinks.commit()

    def crash(self, back: int = 0) -> None:
        """Lose everything but the topics, and restore a checkpoint, ``back`` before the newest.

        Flink fails the whole region over, so Gate restores even where only Invoke died. What Invoke
        had in flight may still be journaled: see ``zombies``.
        """
        if self.invoke.running:
            self.zombies.append(self.invoke)
        self.sinks.abort()
        self.strays.append(self.posted)
        self.crashes += 1
        found = self.checkpoints[max(0, len(self.checkpoints) - 1 - back)]
        if found is not self.checkpoints[-1]:
            # It starts a new line of checkpoints: the next crash restores this one.
            self.checkpoints.append(found)
            self.reemits = True
        self._begin(found)

    def complete_registry(self) -> None:
        """Let Gate reach the end at start of the registry."""
        self.gate.registry = self.specs
        self.gate.registry_complete = True

    def answer_hello(self) -> None:
        """Let Invoke write the start ticks that Gate asked for."""
        if not self.said_hello:
            self.said_hello = True
            self.start_ticks = {n: len(p) for n, p in enumerate(self.journal.partitions)}
            self.invoke.hello(self.gate.readiness.nonce)

    # ------------------------------------------------------------------------------------ inputs

    def publish(self, place: int, address: str, event: Event) -> None:
        """Append an event, decoded, to one partition of one topic."""
        self.events.append(place, (address, event))

    def wish(self, address: str, control: Control) -> None:
        """Append an operator's control to the inbox."""
        self._put(address, InboxRecord(control=control).SerializeToString())

    def signal(self, address: str, signal: Signal) -> None:
        """Append a signal to the inbox."""
        self._put(address, InboxRecord(signal=signal).SerializeToString())

    def ask(self, address: str, asked: Event) -> None:
        """Append to the inbox what a front door is asked."""
        self._put(address, InboxRecord(asked=asked).SerializeToString())

    def deliver(self) -> bool:
        """Let the inbox take the next message that was posted; False if there is none."""
        return self._take(self.posted)

    def deliver_stray(self, life: int) -> bool:
        """Let the inbox take, late, the next message of a dead life's producer."""
        return self._take(self.strays[life])

    def _take(self, posted: Posted) -> bool:
        if not posted:
            return False
        self._put(*posted.pop(0))
        return True

    def _put(self, address: str, value: bytes) -> None:
        self.inbox.append(self.inbox.place_of(address), (address, value))

    def read_event(self, place: int) -> bool:
        """Let Gate read the next event of a partition; False if there is none."""
        offset = self.read_events.offsets[place]
        if offset >= len(self.events.partitions[place]):
            return False
        self.read_events.offsets[place] += 1
        address, event = self.events.partitions[place][offset]
        self.gate.take(address, EventArrived(event))
        return True

    def read_inbox(self, partition: int) -> bool:
        """Let Gate read the next record of a partition of the inbox; False if there is none."""
        offset = self.inbox_cursor.offsets[partition]
        if offset >= len(self.inbox.partitions[partition]):
            return False
        self.inbox_cursor.offsets[partition] += 1
        address, value = self.inbox.partitions[partition][offset]
        place = Origin(
            topic="inbox", partition=partition, offset=offset, timestamp_ms=self.clock.now_ms
        )
        given = arrived(InboxRecord.FromString(value), place)
        if given is not None:
            self.gate.take(address, given)
        return True

    def read_outcome(self, partition: int) -> bool:
        """Let Gate read the next record of a partition of the journal; False if there is none."""
        offset = self.read_journal.offsets[partition]
        if offset >= len(self.journal.partitions[partition]):
            return False
        self.read_journal.offsets[partition] += 1
        written = self.journal.partitions[partition][offset]
        record = JournalRecord.FromString(written.value)
        if record.HasField("tick"):
            self.gate.see(record.tick, written.appended_ms)
        else:
            outcome = record.outcome
            read = OutcomeRead(
                outcome=outcome,
                raw=written.value,
                appended_ms=written.appended_ms,
                partition=partition,
                offset=offset,
            )
            self.gate.take(written.key, read)
        return True

    def fire_due(self) -> bool:
        """Fire every timer that is due; False if none is."""
        due = sorted(t for t in self.gate.store.timers if t[0] <= self.clock.now_ms)
        for timer in due:
            if timer in self.gate.store.timers:
                self.gate.fire(*timer)
        return bool(due)

    def pass_time(self, ms: int) -> None:
        """Move the clock on. Where money is counted, ticks tell the ledger."""
        self.clock.advance(ms)
        if self.money.budgets.rules:
            self.invoke.tick()

    # ---------------------------------------------------------------------------------- requests

    def read_ledger(self) -> bool:
        """Let the ledger read the next message of Gate's; False if there is none."""
        if not self.ledger.given:
            return False
        for _, raw in self.ledger.read():
            request = InvokeRequest.FromString(raw)
            if request.HasField("call"):
                self._send(SendRequest(request.call))
            else:
                self._send(Decide(request.decide.outcome))
        return True

    def _bill(self, billed: list[Billed]) -> None:
        self.ledger.given.extend(value for _, value in billed)

    def _send(self, request: Request) -> None:
        if self.lose:
            self.lose -= 1
            self.lost_requests += 1
            self.invoke.drop()
        elif isinstance(request, Decide):
            self.invoke.decide(request.outcome)
        else:
            self.invoke.offer(request.call)

    def _post(self, receiver: str, value: bytes) -> None:
        self.posted.append((receiver, value))

    def _paid(self, invoke: Invoke, key: Key, call: Call) -> None:
        address, base, _ = key
        paid = PaidCall(address, call.request, invoke.life)
        self.calls.append(paid)
        partition = self.journal.place_of(address)
        for place, written in enumerate(self.journal.partitions[partition]):
            if written.key == address and base in written.value:
                record = JournalRecord.FromString(written.value)
                if record.outcome.base == base:
                    told = written.life == invoke.life or place < self.start_ticks[partition]
                    (self.paid_twice.known if told else self.paid_twice.late).append(paid)
                    return

    def _fresh_id(self) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(16, "big")
