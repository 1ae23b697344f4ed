"""Agents attached, paused, drained and detached while the job runs and events flow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import pytest

from headgate.cli.attaching import UnfitServiceError
from headgate.cli.job_topics import TopicNotReadError
from headgate.cli.registered import UnknownAgentError
from headgate.core.canary import is_canary
from headgate.kafka.publish import Placed
from headgate.kafka.registry import read_registry, write_specs
from headgate.testing.records import Place
from headgate.testing.serving import Serving
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Controlled,
    HistoryRecord,
    Policy,
    Route,
)
from tests.flink.runtime import Runtime, mirror

pytestmark = [pytest.mark.flink, pytest.mark.slow]

TOPIC = "offers"
"""Read by the job, and nobody's unless a test attaches somebody."""

ROUNDS = 50
"""Events at most until a change shows; each takes a checkpoint."""

KNOWN_WITHIN_SECONDS = 1.0
"""How soon after a command has returned the job goes by it."""


@pytest.fixture
def name(runtime: Runtime) -> Iterator[str]:
    """An agent type that no other test uses; nobody of that name is left attached."""
    made = runtime.fresh("agent")
    yield made
    bootstrap, registry = runtime.config.kafka.bootstrap, runtime.config.topic_names.registry
    mine = [each for each in read_registry(bootstrap, registry) if each.startswith(made)]
    write_specs(bootstrap, registry, dict.fromkeys(mine))


class Flow(threading.Thread):
    """Publishes events for a few keys until it is stopped, in step with the job: at most
    `AHEAD` are neither taken nor given up, however slow the machine.
    """

    AHEAD = 1_000

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(daemon=True)
        self._runtime = runtime
        self._stop_asked = threading.Event()
        self._key = runtime.fresh("flow")
        self.sent: list[Place] = []

    def run(self) -> None:
        settled = 0
        while not self._stop_asked.is_set():
            if len(self.sent) - settled >= self.AHEAD:
                known = fates(self._runtime)
                while settled < len(self.sent) and self.sent[settled] in known:
                    settled += 1
                self._stop_asked.wait(0.05)
                continue
            placed = self._runtime.send(TOPIC, f"{self._key}-{len(self.sent) % 7}", {"n": 1})
            self.sent.append(place_of(placed))

    def stop(self) -> list[Place]:
        """End it and return where its events stand."""
        self._stop_asked.set()
        self.join(60)
        return self.sent

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A test that has failed must not leave the job under load for those that follow.
        self.stop()


def place_of(placed: Placed) -> Place:
    return placed.topic, placed.partition, placed.offset


def taken_by(runtime: Runtime, *names: str) -> list[Place]:
    """Return the places of all events that are in turns of these agents."""
    return [place for name in names for place in list(runtime.records.taken_by.get(name, ()))]


def unserved(runtime: Runtime, name: str) -> set[Place]:
    """Return the places of the events that waited for an agent in vain."""
    return {
        (each.origin.topic, each.origin.partition, each.origin.offset)
        for each in list(runtime.records.letter_records)
        if each.reason == "unknown_agent" and each.address.startswith(f"{name}/")
    }


def unrouted(runtime: Runtime) -> list[Place]:
    """Return the places of all events that nobody was routed for."""
    return list(runtime.records.given_up.get("no_route", ()))


def await_routed(runtime: Runtime, name: str, event_type: str = "test") -> None:
    """Wait until intake knows an agent that has just been written into the registry: what it reads
    before is for nobody, or only for those who were there, and is no loss.
    """
    while True:
        key = runtime.fresh("probe")
        place = place_of(runtime.send(TOPIC, key, {"n": 1}, event_type=event_type))

        def seen(place: Place = place) -> bool:
            return place in fates(runtime)

        await_true(runtime, "a probe", seen)
        if place in taken_by(runtime, name):
            return


def await_true(runtime: Runtime, what: str, found: object) -> None:
    assert callable(found)
    runtime.records.await_found(lambda: found() or None, what)


def send_until(
    runtime: Runtime, key: str, condition: Callable[[list[Place]], object], event_type: str = "test"
) -> list[Place]:
    """Send events, each when the one before is taken or given up, until the condition holds.

    A command has returned when the registry has the change; the job follows a moment later, and
    what is sent within that moment may still go the old way.
    """
    sent: list[Place] = []
    for number in range(ROUNDS):
        placed = runtime.send(TOPIC, key, {"n": number}, event_type=event_type)
        sent.append(place_of(placed))
        await_true(runtime, f"event {number} of {key}", lambda: sent[-1] in fates(runtime))
        if condition(sent):
            return sent
    pytest.fail(f"the change did not show within {ROUNDS} events")


def fates(runtime: Runtime) -> set[Place]:
    """Return the places of all events that anybody took, or nobody was routed for."""
    return {*taken_by(runtime, *list(runtime.records.taken_by)), *unrouted(runtime)}


def send_until_some_wait(runtime: Runtime, name: str, key: str) -> list[Place]:
    """Send events until a paused agent has left some untaken for three more; return all.

    Another agent must be routed for the same events: it is seen to take each.
    """

    def waits(sent: list[Place]) -> bool:
        return bool(set(sent[:-3]) - set(taken_by(runtime, name)))

    # Three later ones, and at least three checkpoints, have passed it by: it is not just slow.
    return send_until(runtime, key, waits)


def test_attached_and_drained_while_events_flow(runtime: Runtime, name: str) -> None:
    with Serving(mirror(name)) as served, Flow(runtime) as flow:
        await_true(runtime, "an event for nobody", lambda: set(unrouted(runtime)) & set(flow.sent))
        made = runtime.headgate(
            "agents", "attach", name, "--endpoint", served.endpoint, "--route", TOPIC
        )
        assert (made["is_new"], made["state"]) == (True, "attached")
        await_true(runtime, "30 turns", lambda: len(taken_by(runtime, name)) >= 30)
        assert runtime.headgate("agents", "detach", name)["state"] == "draining"
        before = len(flow.sent)
        await_true(
            runtime,
            "an event for nobody again",
            lambda: set(unrouted(runtime)) & set(flow.sent[before:]),
        )
        sent = flow.stop()
        await_true(
            runtime,
            "the rest",
            lambda: set(sent) <= {*taken_by(runtime, name), *unrouted(runtime)},
        )
        taken, nobodys = taken_by(runtime, name), [p for p in unrouted(runtime) if p in set(sent)]
        # Nothing lost, nothing twice, nothing both taken and given up.
        assert sorted(taken + nobodys) == sorted(sent)
        for partition in {place[1] for place in sent}:
            mine = [place[2] for place in taken if place[1] == partition]
            there = [place[2] for place in sent if place[1] == partition]
            if mine:
                between = [offset for offset in there if min(mine) <= offset <= max(mine)]
                assert sorted(mine) == between, "between attach and detach all are its own"
    runtime.assert_unharmed()


def test_what_comes_a_second_after_attach_has_returned_is_its_own(
    runtime: Runtime, name: str
) -> None:
    with Serving(mirror(name)) as served:
        runtime.headgate("agents", "attach", name, "--endpoint", served.endpoint, "--route", TOPIC)
        began, pause = time.monotonic(), threading.Event()
        sent: dict[Place, float] = {}
        while (since := time.monotonic() - began) < 2 * KNOWN_WITHIN_SECONDS:
            sent[place_of(runtime.send(TOPIC, runtime.fresh("soon"), {"n": 1}))] = since
            pause.wait(0.02)
        await_true(runtime, "all of them", lambda: set(sent) <= fates(runtime))
        missed = [since for place, since in sent.items() if place in set(unrouted(runtime))]
        assert max(missed, default=0.0) < KNOWN_WITHIN_SECONDS
        assert set(sent) & set(taken_by(runtime, name))
    runtime.assert_unharmed()


def test_one_event_goes_to_all_whose_patterns_match(runtime: Runtime, name: str) -> None:
    every, paid = f"{name}-every", f"{name}-paid"
    with Serving(mirror(every), mirror(paid)) as served:
        for each, route in ((every, TOPIC), (paid, f"{TOPIC}:shop.*.paid")):
            runtime.headgate(
                *("agents", "attach", each, "--endpoint", served.endpoint, "--route", route)
            )
        send_until(
            runtime,
            runtime.fresh(),
            lambda sent: set(sent) & {*taken_by(runtime, paid)} & {*taken_by(runtime, every)},
            event_type="shop.probe.paid",
        )
        key = runtime.fresh()
        for number, event_type in enumerate(("shop.order.paid", "shop.order.sent")):
            runtime.send(TOPIC, key, {"n": number}, event_type=event_type)
        assert [a["data"]["type"] for a in runtime.answers_of(f"{every}/{key}", 2)] == [
            "shop.order.paid",
            "shop.order.sent",
        ]
        assert [a["data"]["type"] for a in runtime.answers_of(f"{paid}/{key}")] == [
            "shop.order.paid"
        ]
        for each in (every, paid):
            runtime.headgate("agents", "detach", each, "--now")
    assert not taken_by(runtime, name)


def test_a_paused_agent_waits_and_goes_on(runtime: Runtime, name: str) -> None:
    witness = f"{name}-witness"
    with Serving(mirror(name), mirror(witness)) as served:
        for each in (name, witness):
            runtime.headgate(
                *("agents", "attach", each, "--endpoint", served.endpoint, "--route", TOPIC)
            )
        assert runtime.headgate("agents", "pause", name)["paused"]
        key = runtime.fresh()
        sent = send_until_some_wait(runtime, name, key)
        assert not runtime.headgate("agents", "resume", name)["paused"]
        answers = runtime.answers_of(f"{name}/{key}", len(sent))
        assert [answer["data"]["seen"]["n"] for answer in answers] == [*range(len(sent))]
        runtime.headgate("agents", "detach", witness, "--now")
    runtime.assert_unharmed()


def test_what_waits_for_a_detached_agent_is_given_up(runtime: Runtime, name: str) -> None:
    witness = f"{name}-witness"
    with Serving(mirror(name), mirror(witness)) as served:
        for each in (name, witness):
            runtime.headgate(
                *("agents", "attach", each, "--endpoint", served.endpoint, "--route", TOPIC)
            )
        runtime.headgate("agents", "pause", name)
        key = runtime.fresh()
        sent = send_until_some_wait(runtime, name, key)
        waiting = set(sent) - set(taken_by(runtime, name))
        runtime.headgate("agents", "detach", name, "--now")
        await_true(runtime, "their dead letters", lambda: waiting <= unserved(runtime, name))
        runtime.headgate("agents", "detach", witness, "--now")
        send_until(runtime, key, lambda later: later[-1] in unrouted(runtime))
    with pytest.raises(UnknownAgentError, match="no agent"):
        runtime.headgate("agents", "describe", name)
    runtime.assert_unharmed()


def test_attach_says_what_is_wrong_and_writes_nothing(runtime: Runtime, name: str) -> None:
    with Serving(mirror("someone-else")) as served:
        endpoint = ("--endpoint", served.endpoint)
        with pytest.raises(UnfitServiceError, match="it does not host"):
            runtime.headgate("agents", "attach", name, *endpoint, "--route", TOPIC)
        with pytest.raises(TopicNotReadError, match="fixed when the job starts"):
            runtime.headgate("agents", "attach", name, *endpoint, "--route", "elsewhere")
    with pytest.raises(UnfitServiceError, match="nothing listens there"):
        runtime.headgate("agents", "attach", name, "--endpoint", "127.0.0.1:9", "--route", TOPIC)
    with pytest.raises(UnknownAgentError):
        runtime.headgate("agents", "pause", name)
    forced = runtime.headgate(
        *("agents", "attach", name, "--endpoint", "127.0.0.1:9", "--route", TOPIC, "--force")
    )
    assert "nothing listens there" in forced["problems"][0]
    assert runtime.headgate("agents", "describe", name)["health"] == "unreachable"


def test_a_hundred_agents_come_and_go_while_events_flow(
    runtime: Runtime, name: str, record_property: Callable[[str, object], None]
) -> None:
    names, last = [f"{name}-{number}" for number in range(100)], f"{name}-last"
    bootstrap, registry = runtime.config.kafka.bootstrap, runtime.config.topic_names.registry
    policy = Policy(deadline_ms=30_000, max_attempts=3, max_batch=64, max_state_bytes=1_000_000)
    with Serving(mirror(name), mirror(last), *map(mirror, names)) as served:

        def spec(each: str, route: Route) -> AgentSpec:
            where = [served.endpoint]
            return AgentSpec(
                type=each, endpoints=where, policy=policy, schema_version=1, routes=[route]
            )

        write_specs(bootstrap, registry, {name: spec(name, Route(topic=TOPIC))})
        await_routed(runtime, name)
        began = time.monotonic()
        with Flow(runtime) as flow:
            for each in names:
                route = Route(topic=TOPIC, type=f"{each}.*")
                write_specs(bootstrap, registry, {each: spec(each, route)})
            # Who knows the last knows all: the registry is read in its order.
            write_specs(
                bootstrap, registry, {last: spec(last, Route(topic=TOPIC, type=f"{last}.*"))}
            )
            await_routed(runtime, last, f"{last}.probe")
            for each in names:
                runtime.send(TOPIC, "k", {}, event_type=f"{each}.first")
            for each in names:
                runtime.answers_of(f"{each}/k")
                write_specs(bootstrap, registry, {each: None})
        sent = flow.stop()
        await_true(runtime, "the flow", lambda: set(sent) <= set(taken_by(runtime, name)))
        # What the machine gave; a bound here would fail on a busy one.
        record_property("turns_per_second", round(len(sent) / (time.monotonic() - began)))
        taken = [place for place in taken_by(runtime, name) if place in set(sent)]
        assert sorted(taken) == sorted(sent), (
            "the one that stayed missed nothing, took nothing twice"
        )
        assert len(taken_by(runtime, *names)) == len(names)
    runtime.assert_unharmed()


def test_a_canary_is_rolled_back_tried_again_and_promoted_under_flow(
    runtime: Runtime, name: str
) -> None:
    keys = [f"{runtime.fresh()}-{number}" for number in range(200)]
    spec = AgentSpec(type=name)
    spec.canary.revision, spec.canary.share = "v2", 3_000
    expected = {key: is_canary(spec, f"{name}/{key}") for key in keys}
    assert 40 < sum(expected.values()) < 80
    sent: list[Place] = []

    def publish() -> None:
        for key in keys:
            sent.append(place_of(runtime.send(TOPIC, key, {"n": 1})))
        await_true(runtime, "all taken", lambda: set(sent) <= set(taken_by(runtime, name)))

    def revisions(turns: slice) -> dict[str, set[str]]:
        told: dict[str, list[str]] = {}
        for record in list(runtime.records.history_records):
            if record.outcome.agent_type == name:
                told.setdefault(record.outcome.key, []).append(record.outcome.revision)
        return {key: set(found[turns]) for key, found in told.items()}

    def newest() -> dict[str, set[str]]:
        found = revisions(slice(-1, None))
        return {key: found[key] for key in keys}

    # One of the canary's and one of the others': they show when the job has heard of a change.
    trier, other = (
        next(key for key in map(str, range(99)) if is_canary(spec, f"{name}/{key}") is tries)
        for tries in (True, False)
    )

    def await_revision(probe: str, revision: str) -> None:
        send_until(runtime, probe, lambda _: revisions(slice(-1, None)).get(probe) == {revision})

    first = Serving(mirror(name, "v1"))
    with Serving(mirror(name, "v2")) as second:
        on_trial = ("--endpoint", second.endpoint, "--revision", "v2", "--canary", "30%")
        runtime.headgate("agents", "attach", name, "--endpoint", first.endpoint, "--route", TOPIC)
        await_revision(trier, "v1")
        publish()
        assert newest() == {key: {"v1"} for key in keys}
        runtime.headgate("agents", "attach", name, *on_trial)
        await_revision(trier, "v2")
        publish()
        publish()
        of_both = revisions(slice(-2, None))
        on_their_sides = {key: {"v2" if expected[key] else "v1"} for key in keys}
        assert {key: of_both[key] for key in keys} == on_their_sides
        runtime.headgate("agents", "rollback", name)
        await_revision(trier, "v1")
        publish()
        assert newest() == {key: {"v1"} for key in keys}
        runtime.headgate("agents", "attach", name, *on_trial)
        await_revision(trier, "v2")
        with Flow(runtime) as flow:
            publish()
            assert newest() == on_their_sides
            runtime.headgate("agents", "promote", name)
            await_revision(other, "v2")
            first.close()
            publish()
            assert newest() == {key: {"v2"} for key in keys}
        sent += flow.stop()
        await_true(runtime, "the flow", lambda: set(sent) <= set(taken_by(runtime, name)))
    taken = [place for place in taken_by(runtime, name) if place in set(sent)]
    assert sorted(taken) == sorted(sent)
    runtime.assert_unharmed()


def test_idle_state_expires_and_an_event_finds_it_fresh(runtime: Runtime, name: str) -> None:
    key = runtime.fresh()
    with Serving(mirror(name)) as served:
        attach = ("agents", "attach", name, "--endpoint", served.endpoint, "--state-ttl", "1s")
        runtime.headgate(*attach, "--route", TOPIC)
        send_until(runtime, key, lambda sent: sent[-1] in taken_by(runtime, name))

        def expired() -> list[HistoryRecord]:
            told = list(runtime.records.history_of.get(f"{name}/{key}", ()))
            return [each for each in told if each.outcome.controlled.verb == Controlled.EXPIRE]

        await_true(runtime, "the end of idle state", expired)
        described = runtime.headgate("instances", "describe", f"{name}/{key}")
        assert "values" not in described
        turns = described["turn"]
        runtime.send(TOPIC, key, {"n": 1})
        answer = runtime.answers_of(f"{name}/{key}", turns)[-1]
        assert answer["data"]["count"] == 1
    runtime.assert_unharmed()


def test_beyond_its_limit_a_mailbox_gives_events_up(runtime: Runtime, name: str) -> None:
    key, other = runtime.fresh(), runtime.fresh()
    with Serving(mirror(name)) as served:
        attach = ("agents", "attach", name, "--endpoint", served.endpoint, "--mailbox-limit", "3")
        runtime.headgate(*attach, "--route", TOPIC)
        send_until(runtime, other, lambda sent: sent[-1] in taken_by(runtime, name))
        runtime.headgate("instances", "park", f"{name}/{key}")
        placed = [runtime.send(TOPIC, key, {"n": number}) for number in range(5)]
        letters = [runtime.letter_at(each) for each in placed[3:]]
        assert {each["reason"] for each in letters} == {"mailbox_full"}
        runtime.headgate("instances", "resume", f"{name}/{key}")
        answers = runtime.answers_of(f"{name}/{key}", 3)
        # There is room again: nothing is lost for good.
        runtime.headgate("dead-letters", "replay", *(str(each["id"]) for each in letters))
        answers = runtime.answers_of(f"{name}/{key}", 5)
        assert sorted(each["data"]["seen"]["n"] for each in answers) == [0, 1, 2, 3, 4]
    runtime.assert_unharmed()
