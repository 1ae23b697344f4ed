"""What a Gate has done and what stands before it, in plain numbers of one life.

Counting is part of every turn, so it is additions to slots of one object per agent type. Names,
labels and sums are made once a second (`headgate.flink.figures`), from the numbers here; how the
instances stand that something happened to is looked at then as well, once for each. Where they are
many, at a sixteenth of them: what a busy one does until its turn comes takes no second look.

Nothing here is state of Flink's: a new life begins at nought, as counters of Prometheus may, and
learns what waits while it wakes it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from headgate.core.calls import CALL_BOUNDS_MS, MODEL_CHARS
from headgate.core.model import Input, OutcomeRead, SendRequest, Transition
from headgate.v1.agent_pb2 import Usage
from headgate.v1.turn_pb2 import AgentCalls, CallsMade, Outcome, StoredControl

CONTROLLED = -1
"""Beside the numbers of FailureCode: an operator's decision."""

MODELS_AT_MOST = 20
"""Models that an agent type's usage is told apart by: their names come from the agent's answers,
and one that puts a request's id there would make a series a turn. The others are "other"."""

TENANTS_AT_MOST = 1_000
"""Tenants that an agent type's cost is told apart by in memory. Which of them have series is what
headgate.toml and the budgets name."""

TYPES_AT_MOST = 1_000
"""Agent types that are counted apart, more than are attached: a message may name one that is none.
"""

OTHER = "other"

LOOKED_AT = 300
"""Instances of a type that are looked at each second, 1 ms of work, before any has to wait."""

LOOKS = 16
"""Of more, a sixteenth: while they go on being busy each is seen about every sixteen seconds; of
8,000 that are quiet from then on the last one is in 24, the one that waits for longest at once. A
Gate that looked at everyone each second would do so twice for each turn of 5,000 busy instances.
"""

TOUCHED_AT_MOST = 20_000
"""Instances that wait to be looked at: a control record each, as many as Gate remembers anyway. A
restored Gate may wake a million in a minute."""

# How an instance stands, in one number: from the lowest, whether a turn is in flight, how many
# events wait, the end of the mailbox head's number, since when it has made no progress.
_EVENTS, _HEAD, _SINCE = 1, 33, 49
_STANDING = (1 << _HEAD) - 1
_HEADS = (1 << _SINCE - _HEAD) - 1


class AgentTally:
    """One agent type's numbers."""

    __slots__ = (
        "buckets",
        "call_ms",
        "completed",
        "costs",
        "depth",
        "duplicates",
        "in_flight",
        "joined",
        "outcomes",
        "refused",
        "resends",
        "tokens",
        "too_late",
        "touched",
        "waiting",
    )

    def __init__(self) -> None:
        self.joined = self.duplicates = self.refused = self.resends = self.too_late = 0
        # Turns that completed, and by code what became of the others.
        self.completed = 0
        self.outcomes: dict[int, int] = {}
        self.buckets = [0] * (len(CALL_BOUNDS_MS) + 1)
        self.call_ms = 0
        # By (model, kind).
        self.tokens: dict[tuple[str, str], int] = {}
        # By tenant, 1e-9 of the currency.
        self.costs: dict[str, int] = {}
        # Instances to be looked at, by when something first happened to them since the last look:
        # Gate's own control records, which go on changing.
        self.touched: dict[str, StoredControl] = {}
        # As of the last look, of instances that are not parked: events in mailboxes, turns in
        # flight.
        self.depth = self.in_flight = 0
        # By address, the longest without progress first: how it stands. A restored Gate may have a
        # million that wait.
        self.waiting: dict[str, int] = {}

    def count_rare(self, given: Input, made: Transition) -> None:
        """Take in what a step made of an input, where it is not what every turn does."""
        match made.note:
            case "duplicate":
                self.duplicates += 1
            case "applied" if type(given) is OutcomeRead:
                outcome = given.outcome
                code = outcome.failed.code if made.verdict == "failed" else CONTROLLED
                self.outcomes[code] = self.outcomes.get(code, 0) + 1
            case "too_late":
                self.too_late += 1
            case "refused":
                self.refused += 1
            case "woken" if made.control is not None and made.control.in_flight.sends > 1:
                self.resends += any(type(effect) is SendRequest for effect in made.effects)

    def see(self, address: str, control: StoredControl) -> None:
        """Note an instance that nothing happened to, to be looked at."""
        self.touched[address] = control

    def look(self, now_ms: int) -> None:
        """See how instances stand that something has happened to. To be called once a second;
        ``now_ms`` is the host's clock.
        """
        waiting, touched = self.waiting, self.touched
        most = max(LOOKED_AT, -(-len(touched) // LOOKS), len(touched) - TOUCHED_AT_MOST)
        for address in list(islice(touched, most)):
            control = touched.pop(address)
            head = control.mailbox_head
            # A parked one waits for a person, not for its turn; and a restored Gate does not know
            # of it, for nothing wakes it.
            standing = 0
            if not control.parked:
                events = control.mailbox_tail - head
                standing = events << _EVENTS | control.HasField("in_flight")
            if standing or address in waiting:
                self._stand(address, control, standing, head & _HEADS, now_ms)

    def _stand(
        self, address: str, control: StoredControl, standing: int, head: int, now_ms: int
    ) -> None:
        before = self.waiting.get(address, 0)
        if before:
            stood = before & _STANDING
            # Only taking events is progress.
            has_moved = before >> _HEAD & _HEADS != head
            if stood == standing and not has_moved:
                return
            self.depth -= stood >> _EVENTS
            self.in_flight -= stood & 1
            if has_moved or not standing:
                # To the end: the first is the one without progress for longest.
                del self.waiting[address]
                before = 0
        if standing:
            # One that begins to wait has sent its request, or has nobody to send it to.
            since_ms = before >> _SINCE or control.in_flight.sent_ms or now_ms
            self.waiting[address] = since_ms << _SINCE | head << _HEAD | standing
            self.depth += standing >> _EVENTS
            self.in_flight += standing & 1

    def oldest_ms(self, now_ms: int) -> int:
        """Return for how long the instance has made no progress that has waited for longest."""
        for first in self.waiting.values():
            return max(0, now_ms - (first >> _SINCE))
        return 0

    def add(self, other: AgentTally) -> None:
        """Add another type's numbers, but for instances and costs, which are told apart further."""
        self.joined += other.joined
        self.duplicates += other.duplicates
        self.completed += other.completed
        self.refused += other.refused
        self.resends += other.resends
        self.too_late += other.too_late
        self.call_ms += other.call_ms
        self.depth += other.depth
        self.in_flight += other.in_flight
        for code, count in other.outcomes.items():
            self.outcomes[code] = self.outcomes.get(code, 0) + count
        for used, count in other.tokens.items():
            self.tokens[used] = self.tokens.get(used, 0) + count
        for index, count in enumerate(other.buckets):
            self.buckets[index] += count

    def told(self, calls: AgentCalls) -> None:
        """Take in calls, whatever becomes of their outcomes: they were made, and paid."""
        # Of a writer with other bounds each class is within one of these.
        for within_ms, count in zip(calls.within_ms[:], calls.calls[:], strict=False):
            self.buckets[bisect_left(CALL_BOUNDS_MS, within_ms)] += count
        self.call_ms += max(calls.took_ms, 0)
        for usage in calls.usage[:]:
            self._use(usage)
        for tenant, nanos in calls.costs.items():
            self._pay(tenant, nanos)

    def call(self, outcome: Outcome) -> None:
        """Take in the call of one outcome, if there was one, of which nothing was told apart."""
        called_us = outcome.called_us
        if called_us:
            # The clock may have been set back between the two.
            took_ms = max(0, (outcome.answered_us - called_us) // 1_000)
            self.buckets[bisect_left(CALL_BOUNDS_MS, took_ms)] += 1
            self.call_ms += took_ms
        told = outcome.usage
        # A slice of what is empty takes as long as all the rest.
        for usage in told[:] if told else ():
            self._use(usage)
        nanos = outcome.cost_nanos
        if nanos:
            self._pay(outcome.tenant, nanos)

    def _pay(self, tenant: str, nanos: int) -> None:
        if tenant not in self.costs and len(self.costs) >= TENANTS_AT_MOST:
            tenant = OTHER
        self.costs[tenant] = self.costs.get(tenant, 0) + nanos

    def _use(self, usage: Usage) -> None:
        tokens, model = self.tokens, usage.model[:MODEL_CHARS]
        if (model, "input") not in tokens and len(tokens) >= 2 * MODELS_AT_MOST:
            model = OTHER
        for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            tokens[model, kind] = tokens.get((model, kind), 0) + count


class Tally:
    """One Gate's numbers, by agent type."""

    def __init__(self) -> None:
        self.of_type: dict[str, AgentTally] = {}
        # By (agent type or "", reason).
        self.letters: dict[tuple[str, str], int] = {}
        # Largest since it was last asked for.
        self._lag_ms = 0

    def of(self, agent_type: str) -> AgentTally:
        """Return an agent type's numbers, whether anybody has heard of it or not."""
        found = self.of_type.get(agent_type)
        if found is None:
            if len(self.of_type) >= TYPES_AT_MOST:
                agent_type = OTHER
            found = self.of_type.setdefault(agent_type, AgentTally())
        return found

    def count(self, agent_type: str, address: str, given: Input, made: Transition) -> None:
        """Take in what a step made of an input."""
        try:
            tally = self.of_type[agent_type]
        except KeyError:
            tally = self.of(agent_type)
        control = made.control
        if control is not None:
            tally.touched[address] = control
        # What every turn does comes first: a `match` compares all that stand before it.
        if made.note == "joined":
            tally.joined += 1
        elif made.verdict == "completed":
            tally.completed += 1
        else:
            tally.count_rare(given, made)

    def told(self, made: CallsMade) -> None:
        """Take in what a record's writer told of the calls of its outcomes."""
        for calls in made.agents[:]:
            self.of(calls.agent_type).told(calls)

    def lag(self, lag_ms: int) -> None:
        """Take in how old a record of the journal was when it was read."""
        self._lag_ms = max(self._lag_ms, lag_ms)

    def take_lag(self) -> int:
        """Return the largest lag since the last time, milliseconds."""
        lag_ms, self._lag_ms = self._lag_ms, 0
        return lag_ms

    def gave_up(self, agent_type: str, reason: str) -> None:
        """Count a dead letter; the agent type is empty where none could be told."""
        if len(self.letters) >= TYPES_AT_MOST:
            agent_type = OTHER
        key = agent_type, reason
        self.letters[key] = self.letters.get(key, 0) + 1

    def __iter__(self) -> Iterator[tuple[str, AgentTally]]:
        return iter(self.of_type.items())
