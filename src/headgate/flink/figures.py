"""Names, labels and values of Headgate's metrics: once a second, from what a Gate has counted.

`docs/metrics.md` has the one table of them, and tests hold it against this module and against what
a running stack exposes. Labels are of bounded sets: agent types that somebody attached, codes and
reasons of Headgate's own, endpoints of the registry. Never an address: an instance is a key of a
user's, and there are millions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from headgate.core.calls import CALL_BOUNDS_MS
from headgate.flink.tally import (
    CONTROLLED,
    OTHER,
    AgentTally,
    Tally,
)
from headgate.v1.agent_pb2 import FailureCode
from headgate.v1.turn_pb2 import AgentSpec, EndpointCalls, Tick

TYPES_AT_MOST = 200
"""Agent types with series of their own. A type keeps them after it was detached, so that a bound
is wanted for a registry that changes for months; what comes beyond is "other"."""

ENDPOINTS_AT_MOST = 500
"""The same for endpoints, which deployments may rename with every release."""

Labels = tuple[tuple[str, str], ...]
Figure = tuple[str, Labels, int]
"""Name, labels in the order in which they are nested, value."""

_NO_TYPE = "none"

_CODES = {
    CONTROLLED: "CONTROLLED",
    **{v: n.removeprefix("FAILURE_CODE_") for n, v in FailureCode.items()},
}


@dataclass(slots=True)
class Heard:
    """What the last tick of this life's Invoke told, and when it came."""

    calls: Sequence[EndpointCalls] = ()
    drops: int = 0
    repeats: int = 0
    at_ms: int = 0

    def take(self, tick: Tick, now_ms: int) -> None:
        """Take a tick in; only the first of a writer's partitions tells how calls stand."""
        self.at_ms = now_ms
        if tick.HasField("calls"):
            self.calls, self.repeats = tick.calls.endpoints, tick.calls.repeats
            self.drops = tick.drops


class Names:
    """Agent types and endpoints that have series of their own: once they do, they keep them."""

    def __init__(self) -> None:
        self._types: set[str] = set()
        self._endpoints: set[str] = set()

    def of_type(self, agent_type: str, specs: Mapping[str, AgentSpec]) -> str:
        """Return an agent type's label. A type that nobody attached may come out of garbage."""
        if not agent_type:
            return _NO_TYPE
        if agent_type not in self._types:
            if agent_type not in specs or len(self._types) >= TYPES_AT_MOST:
                return OTHER
            self._types.add(agent_type)
        return agent_type

    def of_endpoint(self, endpoint: str) -> str:
        """Return an endpoint's label."""
        if endpoint not in self._endpoints:
            if len(self._endpoints) >= ENDPOINTS_AT_MOST:
                return OTHER
            self._endpoints.add(endpoint)
        return endpoint


def figures_of(
    tally: Tally,
    parked: Iterable[Mapping[str, int]],
    heard: Heard,
    names: Names,
    *,
    specs: Mapping[str, AgentSpec],
    tenants: Container[str],
    now_ms: int,
) -> Iterator[Figure]:
    """Return everything a Gate has to show, as it is now.

    ``parked`` are its shards' numbers by agent type, ``tenants`` those with series of their own.
    """
    yield "headgate_journal_lag_milliseconds", (), tally.take_lag()
    yield "headgate_invoke_heard_timestamp_seconds", (), heard.at_ms // 1_000
    yield "headgate_requests_dropped_total", (), heard.drops
    yield "headgate_requests_repeated_total", (), heard.repeats
    standing: Counter[str] = Counter()
    for counts in parked:
        for agent_type, count in counts.items():
            standing[names.of_type(agent_type, specs)] += count
    by_label: dict[str, list[AgentTally]] = {}
    for agent_type, each in tally:
        each.look(now_ms)
        by_label.setdefault(names.of_type(agent_type, specs), []).append(each)
    for label in {*standing, *(names.of_type(each, specs) for each in specs)}:
        # Series at nought: a rate of what appears with its first event would not see that one.
        by_label.setdefault(label, [])
    for label, tallies in by_label.items():
        labels: Labels = (("agent", label),)
        yield from _of_agent(labels, tallies, now_ms)
        yield from _of_tenants(labels, tallies, tenants)
        yield "headgate_parked_instances", labels, standing[label]
        spec = specs.get(label)
        if spec is not None:
            yield "headgate_call_deadline_milliseconds", labels, spec.policy.deadline_ms
            yield "headgate_agent_paused", labels, int(spec.paused)
    letters: Counter[str] = Counter(dict.fromkeys((*by_label, _NO_TYPE), 0))
    reasons: Counter[Labels] = Counter()
    for (agent_type, reason), count in tally.letters.items():
        label = names.of_type(agent_type, specs)
        letters[label] += count
        reasons[("agent", label), ("reason", reason)] += count
    for label, count in letters.items():
        yield "headgate_dead_letters_total", (("agent", label),), count
    for key, count in reasons.items():
        yield "headgate_dead_letter_reasons_total", key, count
    yield from _of_endpoints(heard.calls, names, specs)


def _of_agent(labels: Labels, tallies: Sequence[AgentTally], now_ms: int) -> Iterator[Figure]:
    summed = AgentTally()
    for each in tallies:
        summed.add(each)
    yield "headgate_turns_total", labels, summed.completed
    yield "headgate_events_joined_total", labels, summed.joined
    yield "headgate_events_duplicate_total", labels, summed.duplicates
    yield "headgate_events_refused_total", labels, summed.refused
    yield "headgate_requests_resent_total", labels, summed.resends
    yield "headgate_outcomes_late_total", labels, summed.too_late
    yield "headgate_mailbox_events", labels, summed.depth
    yield "headgate_turns_in_flight", labels, summed.in_flight
    oldest = max((each.oldest_ms(now_ms) for each in tallies), default=0)
    yield "headgate_oldest_waiting_milliseconds", labels, oldest
    # Those at nought as well: of a series that begins at 1 no rate sees the step.
    by_code = Counter({"OK": summed.completed} | dict.fromkeys(_CODES.values(), 0))
    for code, count in summed.outcomes.items():
        by_code[_CODES.get(code, OTHER)] += count
    for name, count in by_code.items():
        yield "headgate_outcomes_total", (*labels, ("code", name)), count
    reached = 0
    for bound, count in zip((*CALL_BOUNDS_MS, "+Inf"), summed.buckets, strict=True):
        reached += count
        yield "headgate_call_milliseconds_bucket", (*labels, ("le", str(bound))), reached
    yield "headgate_call_milliseconds_sum", labels, summed.call_ms
    yield "headgate_call_milliseconds_count", labels, reached
    for (model, kind), count in summed.tokens.items():
        used = (*labels, ("model", model or _NO_TYPE), ("kind", kind))
        yield "headgate_tokens_total", used, count


def _of_tenants(
    labels: Labels, tallies: Sequence[AgentTally], tenants: Container[str]
) -> Iterator[Figure]:
    by_label: Counter[str] = Counter()
    for each in tallies:
        for tenant, nanos in each.costs.items():
            by_label[tenant if tenant in tenants else OTHER] += nanos
    for label, nanos in by_label.items():
        yield "headgate_cost_nanos_total", (*labels, ("tenant", label)), nanos


def _of_endpoints(
    calls: Iterable[EndpointCalls], names: Names, specs: Mapping[str, AgentSpec]
) -> Iterator[Figure]:
    # Several of a label ("other", or two revisions at one endpoint) are one series.
    added: Counter[tuple[str, Labels]] = Counter()
    highest: dict[tuple[str, Labels], int] = {}
    for each in calls:
        agent = ("agent", names.of_type(each.agent_type, specs))
        labels: Labels = (agent, ("endpoint", names.of_endpoint(each.endpoint)))
        added["headgate_calls_in_flight", labels] += each.in_flight
        for name, value in (
            ("headgate_oldest_call_milliseconds", each.oldest_ms),
            ("headgate_breaker_open", int(each.left_out)),
            ("headgate_endpoint_down", int(each.down)),
        ):
            highest[name, labels] = max(value, highest.get((name, labels), 0))
    for (name, key), value in [*added.items(), *highest.items()]:
        yield name, key, value
