"""One TaskManager as a queue, event by event: does the answer of the formula hold?

The model. Events come at random (Poisson) to instances that are equally likely. What a TaskManager
does with an event before the call, and with the outcome after it, goes through one server, since
all of it shares one interpreter lock; the times are exponential, which is more uneven than what is
measured. A call takes its time, exponential too, and holds up nobody else. An instance takes one
turn at a time: what comes meanwhile joins its mailbox, and its next turn takes up to `max_batch`.

What it has not: Kafka and the network (they add the latency of an idle system, which is measured),
garbage collection, checkpoints, and agents that are slower when they are busy. Standard library
only, seeded, no clock: the same load gives the same answer.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from headgate.sizing import figures

BEFORE = figures.BEFORE_CALL_US / (figures.BEFORE_CALL_US + figures.AFTER_CALL_US)
"""The share of a turn's work that comes before its call."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What goes through one TaskManager.

    outage_seconds: how long nothing is done, from the beginning on, while events come.
    """

    events_per_second: float
    turns_at_most: float
    call_seconds: float
    instances: int
    seconds: float
    max_batch: int = 64
    outage_seconds: float = 0.0
    warm_up_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of it, in seconds.

    wait: of a piece of work in the TaskManager's queue, before and after the call together.
    held: of an event, until its instance had no earlier turn under way. drained: when the queue
    was empty for the first time after an outage; None if it was not within the time.
    """

    events: int
    utilisation: float
    wait_mean: float
    wait_p50: float
    wait_p99: float
    held_p99: float
    drained: float | None
    queue_at_most: int


class _Work(NamedTuple):
    kind: Literal["event", "outcome"]
    instance: int
    came: float
    waited: float = 0.0


@dataclass(slots=True)
class _Run:
    queue: Queue
    draw: random.Random
    events: list[tuple[float, int, str, _Work]] = field(default_factory=list)
    waiting: deque[_Work] = field(default_factory=deque)
    mailboxes: dict[int, deque[float]] = field(default_factory=dict)
    is_busy: bool = True
    busy_seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    drained: float | None = None
    most: int = 0
    count: int = 0

    def at(self, when: float, what: str, work: _Work) -> None:
        self.count += 1
        heapq.heappush(self.events, (when, self.count, what, work))

    def arrive(self, now: float, work: _Work) -> None:
        self.waiting.append(work._replace(came=now))
        self.most = max(self.most, len(self.waiting))
        if not self.is_busy:
            self.serve(now)

    def serve(self, now: float) -> None:
        if not self.waiting:
            self.is_busy = False
            if self.drained is None:
                self.drained = now
            return
        self.is_busy = True
        work = self.waiting.popleft()
        share = BEFORE if work.kind == "event" else 1 - BEFORE
        took = self.draw.expovariate(self.queue.turns_at_most / share)
        self.busy_seconds += max(0.0, min(took, self.queue.seconds - now))
        self.at(now + took, "served", work._replace(waited=work.waited + now - work.came))

    def served(self, now: float, work: _Work) -> None:
        if work.kind == "event":
            mailbox = self.mailboxes.get(work.instance)
            if mailbox is None:
                self.mailboxes[work.instance] = deque()
                self.note(self.held, now, 0.0)
                self.call(now, work)
            else:
                mailbox.append(now)
        else:
            self.note(self.waits, now, work.waited)
            mailbox = self.mailboxes[work.instance]
            if not mailbox:
                del self.mailboxes[work.instance]
            else:
                for _ in range(min(len(mailbox), self.queue.max_batch)):
                    self.note(self.held, now, now - mailbox.popleft())
                # Only what a turn's record waits for is its own: its events were seen before.
                self.call(now, work._replace(waited=0.0))
        self.serve(now)

    def call(self, now: float, work: _Work) -> None:
        took = self.queue.call_seconds and self.draw.expovariate(1 / self.queue.call_seconds)
        self.at(now + took, "came", work._replace(kind="outcome"))

    def note(self, into: list[float], now: float, value: float) -> None:
        if now >= self.queue.warm_up_seconds:
            into.append(value)


def simulate(queue: Queue, *, seed: int = 0) -> Simulated:
    """Play `seconds` of a TaskManager's life."""
    draw = random.Random(seed)  # noqa: S311 - a model, no secret
    run = _Run(queue, draw)
    nobody = _Work("event", -1, 0.0)
    run.at(queue.outage_seconds, "back", nobody)
    run.at(draw.expovariate(queue.events_per_second), "new", nobody)
    events = 0
    while run.events:
        now, _, what, work = heapq.heappop(run.events)
        if now > queue.seconds:
            break
        match what:
            case "new":
                events += 1
                run.arrive(now, _Work("event", draw.randrange(queue.instances), now))
                run.at(now + draw.expovariate(queue.events_per_second), "new", nobody)
            case "back":
                run.serve(now)
            case "came":
                run.arrive(now, work)
            case "served":
                run.served(now, work)
    working = queue.seconds - queue.outage_seconds
    return Simulated(
        events=events,
        utilisation=run.busy_seconds / working,
        wait_mean=sum(run.waits) / len(run.waits) if run.waits else 0.0,
        wait_p50=quantile(run.waits, 0.5),
        wait_p99=quantile(run.waits, 0.99),
        held_p99=quantile(run.held, 0.99),
        drained=run.drained,
        queue_at_most=run.most,
    )


def quantile(values: list[float], share: float) -> float:
    """Return the value below which a share of them lies; 0 if there is none.

    >>> quantile([4.0, 1.0, 3.0, 2.0], 0.5)
    3.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
