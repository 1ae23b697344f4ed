"""A till: calls wait until all is known and there is room, and nothing waits for itself."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from headgate.core import till as module
from headgate.core.budgets import Budgets
from headgate.core.inherited import LEFT_US
from headgate.core.till import Room, Rules, Till
from headgate.sim.ledger import Entries
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET, TurnRequest
from headgate.v1.cost_pb2 import Ask, Budget, LedgerInput, Ready, Settlement
from headgate.v1.turn_pb2 import AgentSpec, Call, InvokeRequest

HOUR = 3_600_000_000
POT = Budget(
    name="pot",
    per=Budget.TENANT,
    window=Budget.HOUR,
    limit_nanos=100,
    when_spent=Budget.DEFER,
)
_ids = itertools.count()


class Counter:
    """A till with what it stores, which another life may take over."""

    def __init__(self, *budgets: Budget, specs: dict[str, AgentSpec] | None = None) -> None:
        self.rules = Rules(Budgets(budgets or (POT,)), specs or {}, "USD")
        self.stored = Entries(), Entries(), Entries()
        self.room = Room()
        self.begin()

    def begin(self) -> None:
        self.till = Till(0, *self.stored, self.room)

    def take(self, *parts: Ask | Settlement | Ready, at_us: int = HOUR) -> list[InvokeRequest]:
        given = LedgerInput(at_us=at_us)
        for part in parts:
            match part:
                case Ask():
                    given.asks.append(part)
                case Settlement():
                    given.settlements.append(part)
                case _:
                    given.ready.CopyFrom(part)
        out = self.till.take(given, self.rules)
        self.till.write()
        return [InvokeRequest.FromString(raw) for _, raw in out]


def ask(key: str, base: bytes = b"a", estimate: int = 40, *, kilobytes: int = 0) -> Ask:
    request = TurnRequest(agent_type="order", key=key, base=base, turn=1)
    request.events.add(id=key, data=b"0" * 1_000 * kilobytes)
    raw = InvokeRequest(call=Call(request=request, tenant="acme")).SerializeToString()
    return Ask(
        address=f"order/{key}",
        base=base,
        tenant="acme",
        estimate_nanos=estimate,
        events=1,
        request=raw,
    )


def paid(key: str, cost: int, base: bytes = b"a", **more: Any) -> Settlement:
    fields: dict[str, Any] = {"tenant": "acme", "called": True, "at_us": HOUR}
    made = Settlement(address=f"order/{key}", base=base, cost_nanos=cost, **(fields | more))
    made.outcome_id = next(_ids).to_bytes(16, "big")
    return made


def keys(requests: list[InvokeRequest]) -> list[str]:
    return [each.call.request.key for each in requests if each.HasField("call")]


def test_nothing_is_let_go_before_all_gates_have_read_the_journal() -> None:
    counter = Counter()
    assert counter.take(ask("1")) == []
    assert counter.take(Ready(subtask=0, subtasks=2)) == []
    assert keys(counter.take(Ready(subtask=1, subtasks=2))) == ["1"]


def test_what_waits_goes_in_order_once_others_are_settled() -> None:
    counter = Counter()
    counter.take(Ready(subtask=0, subtasks=1))
    assert keys(counter.take(ask("1"), ask("2"), ask("3"), ask("4", estimate=1))) == ["1", "2"]
    assert keys(counter.take(ask("5", estimate=1))) == [], "small ones do not overtake"
    assert keys(counter.take(paid("1", 5))) == ["3", "4", "5"]


def test_what_is_held_waits_behind_nothing() -> None:
    """Two would wait for each other: the one for its turn, the other for what the first holds."""
    counter = Counter()
    counter.take(Ready(subtask=0, subtasks=1))
    counter.take(ask("1", estimate=90))
    counter.begin()
    assert counter.take(ask("2"), ask("1", estimate=90)) == []
    assert keys(counter.take(Ready(subtask=0, subtasks=1))) == ["1"]
    assert keys(counter.take(ask("1", estimate=90))) == ["1"]
    assert keys(counter.take(paid("1", 0))) == ["2"]


def test_an_outcome_takes_away_what_waits_for_its_turn() -> None:
    counter = Counter()
    counter.take(ask("1"))
    assert counter.take(paid("1", 5), Ready(subtask=0, subtasks=1)) == []
    assert not counter.room.used


def test_an_outcome_that_comes_twice_counts_once_also_in_the_next_life() -> None:
    counter = Counter()
    once = paid("1", 60)
    counter.take(Ready(subtask=0, subtasks=1), once, once)
    counter.begin()
    counter.take(Ready(subtask=0, subtasks=1), once)
    assert keys(counter.take(ask("2"))) == ["2"]


def test_a_refusal_names_the_budget_and_when_there_is_room_again() -> None:
    counter = Counter()
    (refused,) = counter.take(Ready(subtask=0, subtasks=1), paid("1", 100), ask("2"))
    outcome = refused.decide.outcome
    assert outcome.failed.code == FAILURE_CODE_BUDGET
    assert "budget pot of tenant acme" in outcome.failed.message
    assert "1970-01-01T02:00Z" in outcome.failed.message
    assert 3_600_000 <= outcome.failed.retry_after_ms < 3_601_000
    assert (outcome.agent_type, outcome.key, outcome.base) == ("order", "2", b"a")


def test_a_dead_letter_tells_of_the_attempts_that_were_made() -> None:
    given_up = Budget()
    given_up.CopyFrom(POT)
    given_up.when_spent = Budget.DEAD_LETTER
    counter = Counter(given_up)
    counter.take(Ready(subtask=0, subtasks=1), paid("1", 100))
    third = ask("2")
    request = InvokeRequest.FromString(third.request)
    request.call.request.attempt = 3
    third.request = request.SerializeToString()
    outcome = counter.take(third)[0].decide.outcome
    assert outcome.failed.dead_letter.attempts == 2
    assert [each.id for each in outcome.taken] == ["2"]


def test_a_refusal_is_the_same_however_often_it_is_asked_for() -> None:
    counter = Counter()
    counter.take(Ready(subtask=0, subtasks=1), paid("1", 100))
    ids = {counter.take(ask("2", base))[0].decide.outcome.outcome_id for base in (b"a", b"a", b"b")}
    assert len(ids) == 2


def test_a_stand_in_is_asked_at_its_own_place() -> None:
    soft = Budget()
    soft.CopyFrom(POT)
    soft.when_spent, soft.stand_in = Budget.DEGRADE, "small"
    small = AgentSpec(type="small", endpoints=["small:1"], revision="s")
    small.policy.deadline_ms = 5
    counter = Counter(soft, specs={"small": small})
    (request,) = counter.take(Ready(subtask=0, subtasks=1), paid("1", 100), ask("2"))
    call = request.call
    assert (call.endpoint, call.request.stand_in, call.request.agent_type) == (
        "small:1",
        "small",
        "order",
    )
    assert (call.request.revision_pin, call.request.deadline_ms) == ("s", 5)


def test_what_an_earlier_life_left_held_is_freed_if_nobody_asks_for_it() -> None:
    """Its budget was dropped, or its agent has other tenants: its outcome is never told here."""
    counter = Counter()
    counter.take(Ready(subtask=0, subtasks=1), ask("gone", estimate=60), ask("back", estimate=30))
    counter.begin()
    counter.take(Ready(subtask=0, subtasks=1))
    assert keys(counter.take(ask("back", estimate=30), ask("new", estimate=60))) == ["back"]
    assert keys(counter.take(at_us=HOUR + LEFT_US - 1)) == []
    assert keys(counter.take(at_us=HOUR + LEFT_US)) == ["new"]
    # What was asked for is held, however old it is.
    assert keys(counter.take(ask("late"), at_us=HOUR + 9 * LEFT_US)) == []
    assert keys(counter.take(paid("back", 10))) == []
    assert keys(counter.take(paid("new", 10))) == ["late"]


def test_what_does_not_fit_the_queue_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES", 5_000)
    counter = Counter()
    out = counter.take(*(ask(str(number), kilobytes=2) for number in range(4)))
    assert [each.decide.outcome.key for each in out] == ["2", "3"]
    assert [each.decide.outcome.failed.retry_after_ms for each in out] == [1_000, 1_000]
    assert keys(counter.take(Ready(subtask=0, subtasks=1))) == ["0", "1"]
    assert not counter.room.used


def test_what_is_to_be_told_is_told_again_after_a_crash() -> None:
    counter = Counter()
    counter.take(Ready(subtask=0, subtasks=1), paid("1", 7))
    assert [each.spent_nanos for each in counter.till.tell().values()] == [7]
    counter.begin()
    assert [each.spent_nanos for each in counter.till.tell().values()] == [7]
    for _ in range(module.TOLD_ROUNDS + 1):
        assert counter.till.tell() == {}
    assert not counter.till.has_news
    assert not counter.stored[2]


def test_what_waits_and_is_asked_for_again_has_one_place() -> None:
    counter = Counter()
    counter.take(Ready(subtask=0, subtasks=1), ask("1", estimate=100))
    for _ in range(3):
        assert counter.take(ask("2", kilobytes=1)) == []
    taken = counter.room.used
    assert 1_000 < taken < 3_000
    counter.take(paid("1", 10))
    assert counter.room.used == 0
