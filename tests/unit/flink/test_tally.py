"""What Gate counts: what waits, what became of it, and how that is named."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.calls import CALL_BOUNDS_MS, MODEL_CHARS, calls_made
from headgate.core.model import EventArrived, OutcomeRead, SendRequest, TimerFired, Transition
from headgate.flink import figures as figures_module
from headgate.flink import tally as tally_module
from headgate.flink.exposed import Exposed
from headgate.flink.figures import Figure, Heard, Names, figures_of
from headgate.flink.parked_count import ParkedCount
from headgate.flink.tally import OTHER, AgentTally, Tally
from headgate.v1.agent_pb2 import FAILURE_CODE_DEADLINE_EXCEEDED, Event, Usage
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Call,
    CallsMade,
    EndpointCalls,
    Outcome,
    StoredControl,
    Tick,
)
from tests.flink.test_gate import JavaGroup, Stored

SPECS = {"order": AgentSpec(type="order"), "chat": AgentSpec(type="chat")}


def standing(
    events: int, *, in_flight: bool = False, parked: bool = False, head: int = 7, sent_ms: int = 0
) -> StoredControl:
    control = StoredControl(mailbox_head=head, mailbox_tail=head + events, parked=parked)
    if in_flight:
        control.in_flight.sends = 1
        control.in_flight.sent_ms = sent_ms
    return control


def joined(events: int) -> Transition:
    return Transition(standing(events, in_flight=True), note="joined")


def completed(*, took_ms: int = 0, usage: Iterable[Usage] = ()) -> OutcomeRead:
    made = Outcome(agent_type="order", called_us=1, answered_us=1 + took_ms * 1_000, usage=usage)
    made.completed.SetInParent()
    return OutcomeRead(made, b"", 0, 0, 0)


def failed() -> OutcomeRead:
    made = Outcome()
    made.failed.code = FAILURE_CODE_DEADLINE_EXCEEDED
    return OutcomeRead(made, b"", 0, 0, 0)


def of_orders() -> tuple[Tally, AgentTally]:
    """A Gate's numbers, and of them those of one agent type."""
    gate = Tally()
    return gate, gate.of("order")


def shown(tally: Tally, heard: Heard | None = None, now_ms: int = 0) -> dict[str, int]:
    made = figures_of(
        tally, [], heard or Heard(), Names(), specs=SPECS, tenants={"acme"}, now_ms=now_ms
    )
    return {_written(figure): figure[2] for figure in made}


def _written(figure: Figure) -> str:
    name, labels, _ = figure
    inside = ",".join(f"{label}={value}" for label, value in labels)
    return f"{name.removeprefix('headgate_')}{{{inside}}}"


def test_depth_and_flight_follow_what_each_instance_says_of_itself() -> None:
    gate, tally = of_orders()
    arrived = EventArrived(Event())
    gate.count("order", "order/1", arrived, joined(1))
    gate.count("order", "order/2", arrived, joined(1))
    gate.count("order", "order/1", arrived, joined(2))
    tally.look(3_500)
    assert (tally.joined, tally.depth, tally.in_flight) == (3, 3, 2)
    gate.count(
        "order",
        "order/1",
        completed(),
        Transition(standing(1), note="applied", verdict="completed"),
    )
    tally.look(4_500)
    assert (tally.depth, tally.in_flight) == (2, 1)
    for address in ("order/1", "order/2"):
        gate.count("order", address, completed(), Transition(standing(0), note="applied"))
    tally.look(5_500)
    assert (tally.depth, tally.in_flight, tally.waiting) == (0, 0, {})


def test_what_is_looked_at_is_how_it_stands_then() -> None:
    """Gate's records go on changing: what it did last before the look counts."""
    gate, tally = of_orders()
    made = joined(3)
    gate.count("order", "order/1", EventArrived(Event()), made)
    assert made.control is not None
    made.control.mailbox_head += 1
    tally.look(1_500)
    assert tally.depth == 2
    tally.look(9_000)
    assert (tally.depth, tally.oldest_ms(9_000)) == (2, 7_500), "nothing happened to it since"


def test_a_restored_gate_that_sees_an_instance_twice_counts_it_once() -> None:
    tally = AgentTally()
    for now_ms in (1_000, 9_000):
        tally.see("order/1", standing(5))
        tally.look(now_ms)
    assert tally.depth == 5
    assert tally.oldest_ms(10_000) == 9_000


def test_only_taking_events_is_progress() -> None:
    gate, tally = of_orders()
    for address, events, now_ms in (("order/1", 2, 1_000), ("order/2", 1, 2_000)):
        gate.count("order", address, EventArrived(Event()), joined(events))
        tally.look(now_ms)
    # A failed attempt leaves the event where it was, and is tried again; another one has come.
    again = standing(3, in_flight=True, sent_ms=5_000)
    gate.count("order", "order/1", failed(), Transition(again, note="applied"))
    tally.look(5_000)
    assert tally.oldest_ms(11_000) == 10_000
    control = standing(1, in_flight=True, head=8, sent_ms=6_000)
    gate.count("order", "order/1", completed(), Transition(control, note="applied"))
    tally.look(7_000)
    assert (tally.depth, tally.in_flight) == (2, 2)
    assert list(tally.waiting) == ["order/2", "order/1"]
    assert tally.oldest_ms(11_000) == 9_000, "now the other one has waited for longest"
    tally.see("order/2", standing(0, head=8))
    tally.look(8_000)
    assert tally.oldest_ms(11_000) == 5_000, "since its next turn was sent"


def test_as_many_events_as_before_are_progress_if_they_are_others() -> None:
    gate, tally = of_orders()
    gate.count("order", "order/1", EventArrived(Event()), joined(1))
    tally.look(1_000)
    both = standing(1, in_flight=True, head=8)
    gate.count("order", "order/1", completed(), Transition(both, note="applied"))
    tally.look(5_000)
    assert (tally.depth, tally.in_flight, tally.oldest_ms(6_000)) == (1, 1, 1_000)


def test_mailboxes_through_which_many_events_went_stand_as_others_do() -> None:
    tally = AgentTally()
    for sent_ms, head in ((1_000, 1 << 40), (2_000, (1 << 40) + 70_000)):
        tally.see("order/1", standing(3, in_flight=True, head=head, sent_ms=sent_ms))
        tally.look(3_000)
        assert (tally.depth, tally.in_flight, tally.oldest_ms(3_000)) == (3, 1, 3_000 - sent_ms)


def test_a_parked_instance_waits_for_a_person_and_not_for_its_turn() -> None:
    tally = AgentTally()
    tally.see("order/1", standing(3))
    tally.look(1_000)
    tally.see("order/1", standing(3, parked=True))
    tally.look(2_000)
    assert (tally.depth, tally.oldest_ms(9_000)) == (0, 0)


def test_a_request_counts_as_sent_again_when_one_leaves() -> None:
    gate, tally = of_orders()
    woken = Transition(standing(1, in_flight=True), note="woken")
    assert woken.control is not None
    woken.control.in_flight.sends = 2
    gate.count("order", "order/1", TimerFired(), woken)
    assert tally.resends == 0, "it was looked at, and rests on"


def test_outcomes_by_code_and_calls_by_their_time() -> None:
    tally = Tally()
    order = tally.of("order")
    for took_ms in (10, 11, 400_000):
        read = completed(took_ms=took_ms)
        tally.count("order", "order/1", read, Transition(note="applied", verdict="completed"))
        order.call(read.outcome)
    tally.count("order", "order/1", failed(), Transition(note="applied", verdict="failed"))
    tally.count("order", "order/1", failed(), Transition(note="too_late"))
    tally.count("order", "order/1", completed(), Transition(note="applied", verdict="controlled"))
    values = shown(tally)
    assert values["turns_total{agent=order}"] == 3
    assert values["outcomes_total{agent=order,code=OK}"] == 3
    assert values["outcomes_total{agent=order,code=DEADLINE_EXCEEDED}"] == 1
    assert values["outcomes_total{agent=order,code=CONTROLLED}"] == 1
    assert values["outcomes_total{agent=order,code=TERMINAL}"] == 0
    assert values["outcomes_late_total{agent=order}"] == 1
    assert values["call_milliseconds_bucket{agent=order,le=10}"] == 1
    assert values["call_milliseconds_bucket{agent=order,le=25}"] == 2
    assert values["call_milliseconds_bucket{agent=order,le=300000}"] == 2
    assert values["call_milliseconds_bucket{agent=order,le=+Inf}"] == 3
    assert values["call_milliseconds_sum{agent=order}"] == 400_021
    assert values["call_milliseconds_count{agent=order}"] == 3


USAGES = st.builds(
    Usage,
    model=st.sampled_from(["", "small", "large", "x" * 200]),
    input_tokens=st.integers(0, 1_000),
    output_tokens=st.integers(0, 1_000),
)
OUTCOMES = st.builds(
    Outcome,
    agent_type=st.sampled_from(["order", "chat"]),
    tenant=st.sampled_from(["", "acme"]),
    called_us=st.sampled_from([0, 1, 10_000_000]),
    answered_us=st.integers(0, 90_000_000),
    cost_nanos=st.integers(0, 1_000),
    usage=st.lists(USAGES, max_size=3),
)


@given(st.lists(OUTCOMES, max_size=20))
def test_calls_that_are_told_together_count_as_each_by_itself(outcomes: list[Outcome]) -> None:
    apart, together = Tally(), Tally()
    for outcome in outcomes:
        apart.of(outcome.agent_type).call(outcome)
    together.told(CallsMade.FromString(calls_made(outcomes).SerializeToString()))
    assert shown(together) == shown(apart)


@pytest.mark.parametrize("took_ms", [0, *CALL_BOUNDS_MS, *(n + 1 for n in CALL_BOUNDS_MS)])
def test_a_call_is_in_the_same_class_however_it_is_told(took_ms: int) -> None:
    outcome = completed(took_ms=took_ms).outcome
    apart, together = AgentTally(), AgentTally()
    apart.call(outcome)
    together.told(calls_made([outcome]).agents[0])
    assert together.buckets == apart.buckets


def test_a_models_name_is_no_longer_where_calls_are_told_together() -> None:
    outcome = completed(usage=[Usage(model="m" * 1_000, input_tokens=1)]).outcome
    [usage] = calls_made([outcome]).agents[0].usage
    assert usage.model == "m" * MODEL_CHARS


def test_an_instance_whose_clock_was_put_back_waits_for_no_less_than_nothing() -> None:
    gate, tally = of_orders()
    gate.count("order", "order/1", EventArrived(Event()), joined(1))
    tally.look(5_000)
    assert tally.oldest_ms(4_000) == 0


def test_what_is_told_of_calls_may_be_nonsense() -> None:
    most = Usage(model="m", input_tokens=(1 << 64) - 1, output_tokens=(1 << 64) - 1)
    paid = Outcome(agent_type="order", cost_nanos=(1 << 63) - 1, usage=[most, most])
    made = calls_made([paid, paid])
    made.agents[0].took_ms = -(1 << 62)
    made.agents[0].within_ms[:] = [-5, 11, 7]
    made.agents[0].calls[:] = [2, 3]
    tally = Tally()
    tally.told(made)
    assert tally.of("order").buckets[:3] == [2, 3, 0]
    assert tally.of("order").call_ms == 0
    assert tally.of("order").tokens["m", "input"] == (1 << 64) - 1
    assert tally.of("order").costs == {"": (1 << 63) - 1}


def test_an_attached_agent_has_series_before_it_has_events() -> None:
    values = shown(Tally())
    assert values["turns_total{agent=chat}"] == 0
    assert values["parked_instances{agent=chat}"] == 0
    assert values["dead_letters_total{agent=chat}"] == 0
    assert values["dead_letters_total{agent=none}"] == 0


def test_types_that_nobody_attached_are_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "TYPES_AT_MOST", 50)
    tally = Tally()
    for number in range(500):
        tally.of(f"garbage-{number}").joined += 1
        tally.gave_up(f"garbage-{number}", "no_route")
    tally.of("order").joined += 1
    values = shown(tally)
    assert len(tally.of_type) <= 51
    assert not [name for name in values if "garbage" in name]
    assert values["events_joined_total{agent=other}"] == 501, "what came after the bound is there"
    assert values["dead_letters_total{agent=other}"] == 500


def test_a_detached_type_keeps_its_series() -> None:
    tally, names = Tally(), Names()
    tally.of("order").joined = 4
    for specs in (SPECS, {}):
        made = figures_of(tally, [], Heard(), names, specs=specs, tenants=(), now_ms=0)
        joined_by = {labels: value for name, labels, value in made if "joined" in name}
        assert joined_by[(("agent", "order"),)] == 4


def test_models_are_bounded() -> None:
    tally = Tally()
    for number in range(100):
        # Two calls of the model in one turn.
        usage = [Usage(model=f"m{number}", input_tokens=1), Usage(model=f"m{number}")]
        usage[1].input_tokens, usage[1].output_tokens = 1, 1
        tally.of("order").call(completed(usage=usage).outcome)
    values = {name: count for name, count in shown(tally).items() if name.startswith("tokens")}
    assert sum(values.values()) == 300
    assert len(values) == 2 * tally_module.MODELS_AT_MOST + 2
    assert values[f"tokens_total{{agent=order,model={OTHER},kind=input}}"] == 160


def test_a_models_name_is_not_longer_in_a_label_than_people_read() -> None:
    tally = Tally()
    usage = [Usage(model="m" * 1_000_000, input_tokens=1)]
    tally.of("order").call(completed(usage=usage).outcome)
    name = "m" * MODEL_CHARS
    assert shown(tally)[f"tokens_total{{agent=order,model={name},kind=input}}"] == 1


def test_what_turns_cost_is_told_apart_by_tenants_that_somebody_named() -> None:
    tally = Tally()
    for tenant, nanos in (("acme", 5), ("acme", 7), ("stranger", 2), ("another", 1)):
        read = completed()
        read.outcome.tenant, read.outcome.cost_nanos = tenant, nanos
        tally.of("order").call(read.outcome)
    values = shown(tally)
    assert values["cost_nanos_total{agent=order,tenant=acme}"] == 12
    assert values["cost_nanos_total{agent=order,tenant=other}"] == 3


def test_endpoints_come_with_the_tick_that_has_them_and_go() -> None:
    heard = Heard()
    tick = Tick(drops=3)
    tick.calls.repeats = 2
    tick.calls.endpoints.append(
        EndpointCalls(
            agent_type="order", endpoint="a:1", in_flight=4, oldest_ms=70, left_out=True, down=True
        )
    )
    heard.take(tick, 5_000)
    heard.take(Tick(drops=9), 6_000)
    values = shown(Tally(), heard)
    assert values["calls_in_flight{agent=order,endpoint=a:1}"] == 4
    assert values["oldest_call_milliseconds{agent=order,endpoint=a:1}"] == 70
    assert values["breaker_open{agent=order,endpoint=a:1}"] == 1
    assert values["endpoint_down{agent=order,endpoint=a:1}"] == 1
    assert values["requests_dropped_total{}"] == 3
    assert values["requests_repeated_total{}"] == 2
    assert values["invoke_heard_timestamp_seconds{}"] == 6


def test_endpoints_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures_module, "ENDPOINTS_AT_MOST", 2)
    heard = Heard()
    heard.calls = [
        EndpointCalls(agent_type="order", endpoint=f"a:{number}", in_flight=1)
        for number in range(5)
    ]
    values = shown(Tally(), heard)
    assert values["calls_in_flight{agent=order,endpoint=a:0}"] == 1
    assert values["calls_in_flight{agent=order,endpoint=other}"] == 3


def test_java_is_told_what_changed_and_what_is_gone_is_nought() -> None:
    group = JavaGroup()
    exposed = Exposed(group)
    exposed.show([("a", (("agent", "order"),), 5), ("b", (), 7)])
    exposed.show([("a", (("agent", "order"),), 3)])
    assert group.values == {("a", "agent=order"): 3, ("b",): 0}


def test_java_is_told_no_number_that_it_has_not() -> None:
    group = JavaGroup()
    exposed = Exposed(group)
    exposed.show([("tokens", (), 2**64 - 1)])
    exposed.show([("tokens", (), 2**65)])
    assert group.values == {("tokens",): 2**63 - 1}


def test_parked_instances_are_counted_where_their_state_is() -> None:
    entries = Stored()
    count = ParkedCount(entries)
    count.change("order", 1)
    count.change("order", 1)
    count.change("chat", 1)
    count.change("chat", -1)
    # It was parked by a release that did not count.
    count.change("old", -1)
    count.write()
    assert ParkedCount(entries).of_type == {"order": 2}


def test_what_was_looked_at_is_looked_at_again_only_when_something_happened() -> None:
    gate, tally = of_orders()
    made = joined(2)
    gate.count("order", "order/1", EventArrived(Event()), made)
    tally.look(2_000)
    assert (tally.depth, tally.oldest_ms(2_500)) == (2, 500)
    assert not tally.touched
    # Gate's own record goes on changing: not seen before something happens to the instance.
    control = made.control
    assert control is not None
    control.mailbox_tail += 5
    tally.look(3_000)
    assert tally.depth == 2


def test_where_many_are_touched_some_are_looked_at_each_time_and_all_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally_module, "LOOKED_AT", 5)
    monkeypatch.setattr(tally_module, "LOOKS", 4)
    gate, tally = of_orders()
    for number in range(40):
        tally.see(f"order/{number}", standing(1, head=number))
    seen = []
    for look in range(1, 9):
        tally.look(1_000 * look)
        seen.append((tally.depth, len(tally.touched)))
        # Those at the end of the queue go on being touched, and stay where they are in it.
        for number in range(39, 39 - min(3, len(tally.touched)), -1):
            again = Transition(standing(2, head=number), note="joined")
            gate.count("order", f"order/{number}", EventArrived(Event()), again)
    assert seen == [(10, 30), (18, 22), (24, 16), (29, 11), (34, 6), (41, 1), (43, 0), (43, 0)]
    assert list(tally.waiting) == [f"order/{number}" for number in range(40)]


def test_no_more_wait_to_be_looked_at_than_gate_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "TOUCHED_AT_MOST", 100)
    monkeypatch.setattr(tally_module, "LOOKED_AT", 5)
    tally = AgentTally()
    for number in range(1_000):
        tally.see(f"order/{number}", standing(1))
    tally.look(1_000)
    assert (tally.depth, len(tally.touched)) == (900, 100)


def test_the_largest_lag_is_told_once() -> None:
    tally = Tally()
    for lag_ms in (3, 5, 4):
        tally.lag(lag_ms)
    assert (tally.take_lag(), tally.take_lag()) == (5, 0)


def test_a_first_request_was_not_sent_again() -> None:
    gate, tally = of_orders()
    woken = Transition(standing(1, in_flight=True), note="woken")
    woken.effects.append(SendRequest(Call()))
    gate.count("order", "order/1", TimerFired(), woken)
    assert tally.resends == 0
    assert woken.control is not None
    woken.control.in_flight.sends = 2
    gate.count("order", "order/1", TimerFired(), woken)
    assert tally.resends == 1
