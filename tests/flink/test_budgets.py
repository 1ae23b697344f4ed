"""Money on a running job: no budget is over-spent, and nothing is counted twice, while workers and
TaskManagers are killed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kafka import TopicPartition
from typer.testing import CliRunner

from headgate.cli import app
from headgate.core.batch import records_in
from headgate.kafka.connect import open_consumer
from headgate.kafka.money import TERMS_KEY
from headgate.kafka.registry import read_registry, write_own, write_specs
from headgate.sdk import Agent, Event, Turn
from headgate.testing.serving import Serving
from headgate.testing.stack import HeadgateStack
from headgate.v1.cost_pb2 import Price, Tenancy, Terms
from headgate.v1.turn_pb2 import JournalRecord, Outcome
from tests.flink.kills import Kills

pytestmark = [pytest.mark.flink, pytest.mark.slow, pytest.mark.chaos]

TENANTS, KEYS, EVENTS = ("acme", "brick"), 6, 240
TOKENS = 10
CALL = 1_000_000
"""Nanos of a call: ten tokens at 0.1 a thousand, or 0.001."""

AFFORDED = 25
"""Calls that a tenant's first budget has room for."""

SETTLED_SECONDS = 3.0
WAIT_SECONDS = 240.0


@dataclass
class Spender:
    """How many events it has taken."""

    count: int = 0


def spender(name: str) -> Agent[Spender]:
    agent = Agent(name, Spender)

    @agent.on("*")
    def spend(turn: Turn[Spender], event: Event) -> None:
        turn.state.count += 1
        turn.used(model="coin", input_tokens=TOKENS)
        turn.emit("spent", {"count": turn.state.count, "by": turn.agent_type})

    return agent


class Money:
    """A stack's registry and ledger, as an operator sees them, and its journal."""

    def __init__(self, stack: HeadgateStack) -> None:
        self.stack = stack
        self.bootstrap = stack.cluster.stack.kafka.bootstrap

    def headgate(self, *arguments: str) -> Any:
        given = [*arguments, "--bootstrap", self.bootstrap.servers, "-o", "json"]
        ran = CliRunner().invoke(app.app, given)
        if ran.exception is not None:
            raise ran.exception
        return json.loads(ran.stdout)

    def agree(self, **tenancies: Tenancy) -> None:
        """Let calls cost something, and instances be of tenants."""
        prices = [Price(model="coin", input_nanos=CALL * 1_000_000 // TOKENS)]
        terms = Terms(currency="USD", prices=prices, updated_ms=time.time_ns() // 1_000_000)
        write_own(self.bootstrap, "headgate.registry", TERMS_KEY, terms.SerializeToString())
        specs = read_registry(self.bootstrap, "headgate.registry")
        for name, tenancy in tenancies.items():
            specs[name].tenancy.CopyFrom(tenancy)
            specs[name].estimate_nanos = CALL
        write_specs(self.bootstrap, "headgate.registry", specs)

    def outcomes(self, agent_type: str) -> list[Outcome]:
        """Return the outcomes in the journal, each id once."""
        consumer = open_consumer(self.bootstrap, auto_offset_reset="earliest")
        places = [
            TopicPartition("headgate.journal", n)
            for n in consumer.partitions_for_topic("headgate.journal")
        ]
        found: dict[bytes, Outcome] = {}
        try:
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            while any(consumer.position(place) < ends[place] for place in places):
                for records in consumer.poll(300).values():
                    for raw in (part for record in records for part in records_in(record.value)):
                        record = JournalRecord.FromString(raw)
                        if record.outcome.agent_type == agent_type:
                            found.setdefault(record.outcome.outcome_id, record.outcome)
        finally:
            consumer.close()
        return list(found.values())

    def paid(self, agent_type: str) -> Counter[str]:
        """Return what the journal says that each tenant paid, in nanos."""
        paid: Counter[str] = Counter()
        for outcome in self.outcomes(agent_type):
            paid[outcome.tenant] += outcome.cost_nanos
        return paid

    def told(self, budget: str) -> dict[str, Any]:
        """Return what the ledger says of a budget, by tenant."""
        listed = {each["name"]: each for each in self.headgate("budgets", "list")}
        return {each["tenant"]: each for each in listed[budget]["amounts"]}


def await_true(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def nanos(units: str) -> int:
    return round(float(units) * 10**9)


@pytest.fixture
def money(killed_stack: HeadgateStack) -> Iterator[Money]:
    made = Money(killed_stack)
    yield made
    for each in made.headgate("budgets", "list"):
        made.headgate("budgets", "drop", each["name"])


def test_kills_neither_overspend_nor_count_twice(money: Money) -> None:
    stack = money.stack
    stack.attach(spender("spender"))
    keys = [f"{tenant}:{n}" for tenant in TENANTS for n in range(KEYS)]
    for key in keys:
        stack.send(f"spender/{key}", "join")
    for key in keys:
        stack.outputs(f"spender/{key}")
    money.agree(spender=Tenancy(before=":"))
    limit = AFFORDED * CALL / 10**9
    money.headgate(
        "budgets", "set", "pot", "--per", "tenant", "--window", "total", "--limit", f"{limit:f}"
    )
    time.sleep(SETTLED_SECONDS)
    kills = Kills(
        stack.cluster.stack,
        stack.cluster.job,
        seed=7,
        # A tenant each time: one that has spent its budget has nothing to ask of a dead worker.
        nudge=lambda: stack.send(f"spender/nobody-{time.time_ns()}:1", "nudge"),
    )
    kills.start()
    for number in range(EVENTS):
        stack.send(f"spender/{keys[number % len(keys)]}", "spend", id=f"e{number}")
        time.sleep(0.05)
    kills.finish()

    def is_spent() -> bool:
        told = money.told("pot")
        return all(told.get(tenant, {}).get("left") == "0" for tenant in TENANTS)

    await_true(is_spent, f"the pots are not spent: {money.told('pot')}")
    time.sleep(SETTLED_SECONDS)
    paid, told = money.paid("spender"), money.told("pot")
    for tenant in TENANTS:
        assert nanos(told[tenant]["spent"]) == paid[tenant], (tenant, told, paid)
        assert nanos(told[tenant]["held"]) == 0
        # What a killed worker had in flight may come to the journal after its successor began.
        assert paid[tenant] <= (AFFORDED + KEYS) * CALL
    refused = [o for o in money.outcomes("spender") if o.failed.code]
    assert refused
    assert "budget pot of tenant" in refused[0].failed.message
    # What was put off goes on as soon as there is room: nothing is lost, or taken twice.
    money.headgate("budgets", "set", "pot", "--limit", "100")
    for key in keys:
        assert stack.state(f"spender/{key}").count == EVENTS // len(keys) + 1
    time.sleep(SETTLED_SECONDS)
    paid, told = money.paid("spender"), money.told("pot")
    assert {t: nanos(told[t]["spent"]) for t in TENANTS} == {t: paid[t] for t in TENANTS}
    rows = money.headgate("cost", "report", "--by", "agent", "--by", "tenant")["rows"]
    reported = {row["tenant"]: row for row in rows if row["agent"] == "spender"}
    assert {t: nanos(reported[t]["cost"]) for t in TENANTS} == {t: paid[t] for t in TENANTS}
    assert reported["acme"]["input_tokens"] == paid["acme"] // CALL * TOKENS


def test_a_cheaper_agent_stands_in_and_the_rest_is_given_up(money: Money) -> None:
    stack = money.stack
    with Serving(spender("dear"), spender("cheap")):
        stack.attach(spender("dear"))
        stack.attach(spender("cheap"))
        stack.send("dear/one", "join")
        stack.send("cheap/one", "join")
        assert stack.outputs("dear/one")
        money.agree(dear=Tenancy(name="acme"), cheap=Tenancy(name="acme"))
        degrade = ("--when-spent", "degrade", "--stand-in", "cheap", "--agent", "dear")
        each = f"{2 * CALL / 10**9:f}"
        money.headgate("budgets", "set", "soft", "--window", "total", "--limit", each, *degrade)
        total = ("--window", "total", "--limit", f"{5 * CALL / 10**9:f}")
        money.headgate("budgets", "set", "hard", *total, "--when-spent", "dead_letter")
        time.sleep(SETTLED_SECONDS)
        for number in range(8):
            stack.send("dear/one", "spend", number)
            stack.outputs("dear/one")
        turns = [each.outcome for each in stack.history("dear/one")][1:]
        assert [turn.stand_in for turn in turns if not turn.failed.code] == ["", "", *3 * ["cheap"]]
        assert stack.state("dear/one").count == 6
        letters = stack.letters("dear/one")
        assert [letter.reason for letter in letters] == ["budget"] * 3
        assert "budget hard of tenant acme" in letters[0].message
        explained = money.headgate("budgets", "explain", "dear/one")
        assert explained["tenant"] == "acme"
        assert [each["left"] for each in explained["amounts"]] == ["0", "0"]
