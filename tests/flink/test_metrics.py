"""What a running stack exposes is what docs/metrics.md says; alerts name faults that are planted.

A real Prometheus with the files of monitoring/ scrapes the stack, each second.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate.config import load
from headgate.kafka.registry import publish_costs
from headgate.sdk import Agent, Event, Park, TerminalError, Turn
from headgate.sim.face import default_policy
from headgate.testing.stack import HeadgateStack
from tests.prometheus_server import POLL_SECONDS, Prometheus, prometheus_server
from tests.unit.test_monitoring import expressions_of_dashboard, rules, table

pytestmark = [pytest.mark.flink, pytest.mark.slow]

NAMED_SECONDS = 15.0
"""What the alerts promise."""

DEADLINE_MS = 8_000
"""Half of it is when a call is suspicious: the rest of the promise is the rule's own 10 s."""

OF_PROMETHEUS = {"__name__", "instance", "job", "process"}
OF_FLINK = {
    "host",
    "job_id",
    "job_name",
    "operator_id",
    "operator_name",
    "subtask_index",
    "task_id",
}


@dataclass
class Count:
    """How many events an instance has taken."""

    count: int = 0


COSTS = """
[[cost.prices]]
agent = "payer"
call = 0.001

[[budgets]]
name = "small"
agent = "payer"
window = "total"
limit = 0.003
when_spent = "dead_letter"
"""

NAMES = ("steady", "payer", "stuck-one", "picky")


def steady(name: str) -> Agent[Count]:
    """Answer at once."""
    agent = Agent(name, Count)

    @agent.on("*")
    def answer(turn: Turn[Count], event: Event) -> None:
        turn.state.count += 1
        turn.used(model="small", input_tokens=3, output_tokens=2)
        turn.emit("steady.reply", {"count": turn.state.count})

    return agent


def stuck() -> Agent[Count]:
    """Never answer what says so."""
    agent = Agent("stuck-one", Count)

    @agent.on("*")
    async def hang(turn: Turn[Count], event: Event) -> None:
        turn.state.count += 1
        if event.data == "hang":
            await asyncio.Event().wait()

    return agent


def picky() -> Agent[Count]:
    """Refuse for good what says so, and ask for a person at what says that."""
    agent = Agent("picky", Count)

    @agent.on("*")
    def judge(turn: Turn[Count], event: Event) -> None:
        turn.state.count += 1
        if event.data == "poison":
            message = "it can never succeed"
            raise TerminalError(message)
        if event.data == "puzzle":
            message = "it takes a person"
            raise Park(message)

    return agent


@pytest.fixture(scope="module")
def watched(
    session_killed_stack: HeadgateStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[HeadgateStack, Prometheus]]:
    """A stack with all the agents, each of which has taken an event, and who scrapes it."""
    stack = session_killed_stack
    stack.begin()
    policy = default_policy()
    policy.deadline_ms = DEADLINE_MS
    for agent in (steady("steady"), steady("payer"), stuck(), picky()):
        stack.attach(agent, policy=policy)
    for name in NAMES:
        stack.send(f"{name}/first", "join")
    urls = stack.cluster.stack.flink.metrics_urls
    with prometheus_server(tmp_path_factory.mktemp("prometheus"), urls) as prometheus:
        for name in NAMES:
            assert len(stack.history(f"{name}/first")) == 1
            prometheus.await_found(f'headgate_turns_total{{agent="{name}"}} >= 1')
        yield stack, prometheus


@pytest.fixture
def stack(watched: tuple[HeadgateStack, Prometheus]) -> HeadgateStack:
    """The stack."""
    return watched[0]


@pytest.fixture
def prometheus(watched: tuple[HeadgateStack, Prometheus]) -> Prometheus:
    """Who scrapes it."""
    return watched[1]


def test_nothing_fires_while_all_is_well(prometheus: Prometheus) -> None:
    # On a busy machine the first scrapes may take longer than their second, and say otherwise.
    deadline = time.monotonic() + NAMED_SECONDS
    while firing := prometheus.firing():
        assert time.monotonic() < deadline, firing
        time.sleep(POLL_SECONDS)


def test_a_turn_is_counted_with_all_that_belongs_to_it(
    stack: HeadgateStack, prometheus: Prometheus
) -> None:
    before = _value(prometheus, 'headgate_turns_total{agent="steady"}')
    for number in range(20):
        stack.send("steady/counted", "ask", id=f"{number % 10}")
    assert [each.data["count"] for each in stack.outputs("steady/counted")][-1] == 10
    prometheus.await_found('headgate_events_duplicate_total{agent="steady"} >= 10')
    made = _value(prometheus, 'headgate_turns_total{agent="steady"}') - before
    assert 1 <= made <= 10, "batches hold several"
    assert _value(prometheus, 'headgate_outcomes_total{agent="steady",code="OK"}') == before + made
    calls = _value(prometheus, 'headgate_call_milliseconds_bucket{agent="steady",le="+Inf"}')
    assert calls == before + made
    tokens = 'headgate_tokens_total{agent="steady",model="small",kind="input"}'
    assert _value(prometheus, tokens) == 3 * (1 + 10)
    prometheus.await_found('headgate_mailbox_events{agent="steady"} == 0')
    assert _value(prometheus, "time() - max(headgate_invoke_heard_timestamp_seconds)") < 10


def test_a_poisoned_event_is_named(stack: HeadgateStack, prometheus: Prometheus) -> None:
    stack.send("picky/first", "take", "poison")
    prometheus.await_alert("HeadgateDeadLetters", NAMED_SECONDS, agent="picky")


def test_a_record_that_is_no_event_is_named(stack: HeadgateStack, prometheus: Prometheus) -> None:
    stack.cluster.publish("steady", "any", b"{", {"content-type": b"application/cloudevents+json"})
    prometheus.await_alert("HeadgateDeadLetters", NAMED_SECONDS, agent="none")
    assert _value(prometheus, "sum(headgate_dead_letter_reasons_total)") >= 2


def test_a_parked_instance_is_named_until_it_goes_on(
    stack: HeadgateStack, prometheus: Prometheus
) -> None:
    stack.send("picky/puzzled", "take", "puzzle")
    prometheus.await_alert("HeadgateInstancesParked", NAMED_SECONDS, agent="picky")
    assert stack.is_parked("picky/puzzled")
    stack.control("picky/puzzled", "skip")
    prometheus.await_found('sum(headgate_parked_instances{agent="picky"}) == 0')


def test_a_spent_budget_is_named(
    stack: HeadgateStack, prometheus: Prometheus, tmp_path: Path
) -> None:
    path = tmp_path / "headgate.toml"
    given = (stack.cluster.stack.home / "headgate.toml").read_text(encoding="utf-8")
    path.write_text(given + COSTS, encoding="utf-8")
    publish_costs(load(path))
    # What is sent until the job knows is not counted.
    while not prometheus.query("headgate_budget_limit_nanos == 3e6"):
        stack.send("payer/first", "take")
        assert stack.outputs("payer/first")
    for _ in range(4):
        stack.send("payer/first", "take")
        assert stack.outputs("payer/first")
    prometheus.await_alert("HeadgateBudgetSpent", NAMED_SECONDS, budget="small")
    spent = _value(prometheus, 'headgate_cost_nanos_total{agent="payer",tenant="default"}')
    assert spent >= 3e6
    assert spent % 1e6 == 0


def test_an_agent_that_hangs_is_named(stack: HeadgateStack, prometheus: Prometheus) -> None:
    stack.send("stuck-one/first", "take", "hang")
    prometheus.await_alert("HeadgateAgentHangs", NAMED_SECONDS, agent="stuck-one")
    assert _value(prometheus, 'headgate_turns_in_flight{agent="stuck-one"}') == 1
    assert _value(prometheus, 'sum(headgate_calls_in_flight{agent="stuck-one"})') == 1
    # Its deadline passes, once and again, until the event is given up.
    prometheus.await_alert("HeadgateAgentMissesDeadlines", 4 * NAMED_SECONDS, agent="stuck-one")


def test_the_table_is_what_is_exposed(stack: HeadgateStack, prometheus: Prometheus) -> None:
    found = prometheus.query('{__name__=~"headgate_.+"}')
    labels_of: dict[str, set[str]] = {}
    for labels, _ in found:
        own = {label for label in labels if label not in OF_PROMETHEUS | OF_FLINK}
        labels_of.setdefault(labels["__name__"], set()).update(own)
    assert labels_of == {name: set(row.labels) for name, row in table().items()}
    # Other tests have attached theirs to this stack.
    agents = {labels.get("agent", "none") for labels, _ in found}
    assert {*NAMES, "none"} <= agents <= {*stack.cluster.agent_types, "none"}


def test_what_rules_and_dashboard_ask_of_flink_is_there(prometheus: Prometheus) -> None:
    asked = [rule["expr"] for rule in rules()] + list(expressions_of_dashboard())
    for expression in asked:
        prometheus.query(expression)
    names = {name for each in asked for name in re.findall(r"\bflink_\w+", each)}
    assert names
    for name in names:
        assert prometheus.query(name), name


def test_after_a_failover_in_the_same_process_there_is_one_series_of_each(
    stack: HeadgateStack, prometheus: Prometheus
) -> None:
    turns = 'headgate_turns_total{agent="steady"}'
    (worker,) = stack.cluster.stack.python_worker_pids()
    os.kill(worker, signal.SIGKILL)
    # It is missed by whoever wants something of it.
    stack.send("steady/afterwards", "ask")
    assert stack.outputs("steady/afterwards")
    prometheus.await_found(f"sum(resets({turns}[5m])) >= 1")
    prometheus.await_found(f"{turns} >= 1")
    assert len(prometheus.query(turns)) == 1


def test_a_killed_task_manager_is_named_and_what_is_parked_is_known_after_it(
    stack: HeadgateStack, prometheus: Prometheus
) -> None:
    stack.send("picky/lasting", "take", "puzzle")
    prometheus.await_found('sum(headgate_parked_instances{agent="picky"}) == 1')
    # So that a checkpoint has it.
    assert stack.is_parked("picky/lasting")
    stack.cluster.stack.kill_task_manager()
    took = prometheus.await_alert("HeadgateProcessDown", NAMED_SECONDS, process="taskmanager-0")
    assert took < NAMED_SECONDS
    prometheus.await_found('up{process="taskmanager-0"} == 1')
    prometheus.await_found('sum(headgate_parked_instances{agent="picky"}) == 1')
    stack.control("picky/lasting", "skip")


def _value(prometheus: Prometheus, expression: str) -> float:
    ((_, value),) = prometheus.query(expression)
    return value
