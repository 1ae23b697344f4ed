"""What is followed: parked instances, open letters, budgets; the newest of each, in bounded
memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from headgate.rpc.health import Answer
from headgate.ui.budgets import BudgetTable
from headgate.ui.busy import BusyTable
from headgate.ui.polling import Polled
from headgate.ui.tables import LETTERS, LetterTable, ParkedTable
from headgate.v1.agent_pb2 import FAILURE_CODE_AGENT_ERROR, FAILURE_CODE_BUDGET
from headgate.v1.cost_pb2 import Account, Budget
from headgate.v1.turn_pb2 import AgentSpec, DeadLetter, HistoryRecord, ParkedInstance

NOW = 1_700_000_000_000


def record(key: str, message: Any) -> Any:
    value = (
        message if message is None or isinstance(message, bytes) else message.SerializeToString()
    )
    return SimpleNamespace(key=key.encode(), value=value, timestamp=NOW)


def test_an_instance_is_parked_until_it_goes_on() -> None:
    table = ParkedTable()
    parked = ParkedInstance(at_us=NOW * 1_000, code=FAILURE_CODE_AGENT_ERROR, message="oh")
    table.take(record("order/1", parked))
    table.take(record("order/2", b"\xff\xff"))
    (found,) = table.facts()
    assert (found.address, found.since_ms, found.code) == ("order/1", NOW, "agent_error")
    table.take(record("order/1", None))
    assert table.facts() == ()


def test_a_letter_stands_open_until_it_is_settled_whichever_is_read_first() -> None:
    table = LetterTable()
    for name in ("a", "b", "b"):
        table.take(record("order/1", DeadLetter(id=name, reason="not_json", at_ms=NOW)))
    assert [each.id for each in table.facts()] == ["b", "a"]
    table.take_settled(record("a", b""))
    table.take_settled(record("c", b""))
    table.take(record("order/1", DeadLetter(id="c", reason="not_json", at_ms=NOW)))
    assert [each.id for each in table.facts()] == ["b"]


def test_only_the_newest_letters_are_kept() -> None:
    table = LetterTable()
    for number in range(LETTERS + 5):
        table.take(record("k", DeadLetter(id=str(number), reason="not_json", at_ms=NOW)))
    assert len(table.facts()) == LETTERS
    assert table.facts()[0].id == str(LETTERS + 4)


def refused(tenant: str) -> HistoryRecord:
    made = HistoryRecord(journal_ms=NOW)
    made.outcome.agent_type, made.outcome.key, made.outcome.tenant = "order", "1", tenant
    made.outcome.failed.code = FAILURE_CODE_BUDGET
    return made


def test_a_budget_is_what_the_ledger_says_in_the_window_of_now() -> None:
    table = BudgetTable()
    rule = Budget(name="daily", per=Budget.AGENT, window=Budget.DAY, limit_nanos=100)
    today_us = NOW * 1_000 - NOW * 1_000 % 86_400_000_000
    account = Account(budget="daily", tenant="acme", agent="order", window_us=today_us)
    account.spent_nanos, account.held_nanos, account.refused = 70, 25, 1
    table.take_account(record("x", account))
    table.take_account(record("y", Account(budget="gone", tenant="acme")))
    (found,) = table.facts([rule], "EUR", NOW)
    assert (found.spent_nanos, found.limit_nanos, found.currency) == (95, 100, "EUR")
    assert (found.whose, found.refused_ms) == ("daily (order of tenant acme)", 0)
    table.take_turn(refused("acme"))
    table.take_turn(refused("other"))
    (found,) = table.facts([rule], "EUR", NOW)
    assert found.refused_ms == NOW
    assert found.is_refusing
    raised = Budget(
        name="daily", per=Budget.AGENT, window=Budget.DAY, limit_nanos=900, updated_ms=NOW
    )
    (found,) = table.facts([raised], "EUR", NOW)
    assert not found.is_refusing, "it was raised since"
    # The next day: nothing of it is spent yet, but what is held may be.
    (found,) = table.facts([rule], "EUR", NOW + 86_400_000)
    assert (found.spent_nanos, found.refused_ms) == (25, 0)
    table.take_account(record("x", None))
    (found,) = table.facts([rule], "EUR", NOW)
    assert (found.whose, found.spent_nanos) == ("daily", 0)
    assert table.facts([], "EUR", NOW) == ()


def test_a_budget_refuses_since_its_first_refusal_and_not_since_before_it_was_made() -> None:
    table = BudgetTable()
    rule = Budget(name="daily", per=Budget.TENANT, window=Budget.TOTAL, limit_nanos=100)
    table.take_account(record("x", Account(budget="daily", tenant="acme", refused=1)))
    for ago_ms in (600_000, 30_000, 5_000):
        again = refused("acme")
        again.journal_ms = NOW - ago_ms
        table.take_turn(again)
    (found,) = table.facts([rule], "EUR", NOW)
    assert found.refused_ms == NOW - 600_000
    rule.updated_ms = NOW - 60_000
    (found,) = table.facts([rule], "EUR", NOW)
    assert found.refused_ms == NOW - 60_000, "another one refused before"


def test_since_when_an_agent_has_work_and_does_not_answer() -> None:
    table = BusyTable()
    table.take_busy("order", 2, NOW)
    table.take_busy("order", 1, NOW + 5_000)
    assert (table.busy("order"), table.busy_since_ms("order", 0)) == (1, NOW)
    # It has answered since.
    assert table.busy_since_ms("order", NOW + 3_000) == NOW + 3_000
    table.take_busy("order", 0, NOW + 6_000)
    assert table.busy_since_ms("order", 0) == 0
    assert table.busy("nobody") is None


def test_since_when_no_service_of_an_agent_is_fit() -> None:
    table = BusyTable()
    specs = {"order": AgentSpec(type="order", endpoints=["a:1", "b:1"])}
    well = Answer("b:1", "serving", revisions=(("order", "v1"),))
    table.take_health(specs, {"a:1": Answer("a:1", "unreachable"), "b:1": well}, NOW)
    assert table.unhealthy_since_ms("order") == 0
    other = Answer("b:1", "serving", revisions=(("other", "v1"),))
    for seconds in (1, 2):
        table.take_health(specs, {"b:1": other}, NOW + 1_000 * seconds)
    assert table.unhealthy_since_ms("order") == NOW + 1_000
    table.take_health({}, {}, NOW)
    assert table.unhealthy_since_ms("order") == 0


def test_what_cannot_be_read_is_told_and_asked_for_again() -> None:
    import threading

    answers: list[Any] = [1, ValueError("away"), 3]
    asked, more = threading.Semaphore(0), threading.Semaphore(0)

    def look(before: int | None) -> int:
        asked.release()
        more.acquire()
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer) + (before or 0)

    polled = Polled("test", 0.001, look)
    seen = []
    for _ in range(3):
        asked.acquire()
        seen.append((polled.value, polled.problem))
        more.release()
    asked.acquire()
    seen.append((polled.value, polled.problem))
    polled.stop()
    answers.append(0)
    more.release()
    polled.close()
    assert seen == [(None, ""), (1, ""), (1, "away"), (4, "")]
