"""Invoke in memory: calls agents, journals outcomes, remembers what it journaled until it dies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headgate.core import trace
from headgate.core.outcome import failed_reply, outcome_of
from headgate.sim.agents import Answer, NoAnswer, SimAgent
from headgate.sim.broker import Clock, Topic, Written
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_UNKNOWN_AGENT,
)
from headgate.v1.cost_pb2 import Terms
from headgate.v1.turn_pb2 import Call, JournalRecord, Outcome, Tick

DEFAULT_DEADLINE_MS = 30_000
MAX_RECORD_BYTES = 1_000_000

Key = tuple[str, bytes, int]
"""Address, base and attempt: what one request is known by."""


@dataclass(slots=True)
class Running:
    """A call that has been made. ``answer`` is what will have come of it at ``due_ms``."""

    call: Call
    answer: Answer
    called_ms: int
    due_ms: int


@dataclass(slots=True)
class Invoke:
    """One life of Invoke. A dead one may still journal what it had in flight."""

    life: int
    clock: Clock
    journal: Topic[Written]
    agents: Mapping[str, SimAgent]
    fresh_id: Callable[[], bytes]
    on_call: Callable[[Invoke, Key, Call], None]
    skew_ms: int = 0
    running: dict[Key, Running] = field(default_factory=dict)
    journaled: set[Key] = field(default_factory=set)
    decided: set[bytes] = field(default_factory=set)
    drops: int = 0
    nonce: bytes = b""
    terms: Terms = field(default_factory=Terms)

    def hello(self, nonce: bytes) -> None:
        """Write the start tick that a Gate asked for into every partition of the journal."""
        self.nonce = nonce
        self._tick(start=True)

    def drop(self) -> None:
        """Give a request up unanswered. The next tick tells Gate, which then sends again."""
        self.drops += 1
        self.tick()

    def tick(self) -> None:
        """Say that time has gone by, once Gate has asked for ticks."""
        if self.nonce:
            self._tick(start=False)

    def _tick(self, *, start: bool) -> None:
        count = len(self.journal.partitions)
        for partition in range(count):
            tick = Tick(
                nonce=self.nonce,
                start=start,
                drops=self.drops,
                written_us=self.clock.now_ms * 1000,
                partition=partition,
                partitions=count,
            )
            record = JournalRecord(tick=tick).SerializeToString()
            self.journal.append(
                partition, Written("", record, self.clock.now_ms + self.skew_ms, self.life)
            )

    def offer(self, call: Call) -> None:
        """Take a request: make the call, unless it is running or journaled already."""
        request = call.request
        key = (f"{request.agent_type}/{request.key}", request.base, request.attempt)
        if key in self.running or key in self.journaled or request.base in self.decided:
            return
        trace.begin(call)
        now_ms = self.clock.now_ms
        agent = self.agents.get(request.stand_in or request.agent_type) if call.endpoint else None
        if agent is None:
            answer: Answer = failed_reply(
                request, FAILURE_CODE_UNKNOWN_AGENT, f"no agent of type {request.agent_type!r}"
            )
            self.running[key] = Running(call, answer, now_ms, now_ms)
            return
        self.on_call(self, key, call)
        answer = agent.answer(request)
        due_ms = now_ms + agent.takes_ms(request)
        deadline_ms = now_ms + (call.policy.deadline_ms or DEFAULT_DEADLINE_MS)
        if answer is NoAnswer.SILENCE or due_ms > deadline_ms:
            answer, due_ms = NoAnswer.SILENCE, deadline_ms
        self.running[key] = Running(call, answer, now_ms, due_ms)

    def decide(self, outcome: Outcome) -> None:
        """Journal a decision that needs no call, once."""
        key = (f"{outcome.agent_type}/{outcome.key}", outcome.outcome_id, 0)
        if key not in self.journaled:
            self.journaled.add(key)
            self.decided.add(outcome.base)
            self._write(outcome)

    def finish(self, key: Key) -> None:
        """Let a running call end and journal what came of it."""
        running = self.running.pop(key)
        answer = running.answer
        if answer is NoAnswer.UNAVAILABLE:
            self.drop()
            return
        if answer is NoAnswer.SILENCE:
            answer = failed_reply(
                running.call.request, FAILURE_CODE_DEADLINE_EXCEEDED, "no reply in time"
            )
        outcome = outcome_of(
            running.call,
            answer,
            outcome_id=self.fresh_id(),
            called_us=running.called_ms * 1000,
            answered_us=self.clock.now_ms * 1000,
            max_record_bytes=MAX_RECORD_BYTES,
            terms=self.terms,
        )
        self.journaled.add(key)
        self._write(outcome)

    def _write(self, outcome: Outcome) -> None:
        address = f"{outcome.agent_type}/{outcome.key}"
        record = JournalRecord(outcome=outcome).SerializeToString()
        self.journal.append(
            self.journal.place_of(address),
            Written(address, record, self.clock.now_ms + self.skew_ms, self.life),
        )
