"""The ledger: what is held, what is spent, who is refused and for how long."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from headgate.core import ledger
from headgate.core.budgets import Budgets, account_of, is_refusing, name_of
from headgate.core.ledger import Granted, Ledger, MustWait, Spent
from headgate.core.prices import MOST_NANOS
from headgate.v1.cost_pb2 import Account, Ask, Budget, Settlement

HOUR = 3_600_000_000
_ids = itertools.count()


def budget(name: str = "pot", limit: int = 100, **more: Any) -> Budget:
    fields: dict[str, Any] = {
        "per": Budget.TENANT,
        "window": Budget.HOUR,
        "when_spent": Budget.DEFER,
    }
    return Budget(name=name, limit_nanos=limit, **(fields | more))


def ask(key: str = "1", base: bytes = b"a", estimate: int = 40, tenant: str = "acme") -> Ask:
    return Ask(address=f"order/{key}", base=base, tenant=tenant, estimate_nanos=estimate)


def paid(cost: int, key: str = "1", base: bytes = b"a", **more: Any) -> Settlement:
    fields: dict[str, Any] = {"tenant": "acme", "called": True, "at_us": HOUR}
    made = Settlement(address=f"order/{key}", base=base, cost_nanos=cost, **(fields | more))
    made.outcome_id = next(_ids).to_bytes(16, "big")
    return made


class Books:
    """A ledger with these budgets, at the first hour."""

    def __init__(self, *rules: Budget) -> None:
        self.rules = Budgets(rules)
        nothing: dict[str, bytes] = {}
        self.ledger = Ledger(nothing.get, at_us=HOUR)

    def ask(self, given: Ask, stand_ins: tuple[str, ...] = ()) -> Any:
        return self.ledger.ask(given, self.rules, stand_ins)

    def settle(self, given: Settlement) -> None:
        self.ledger.settle(given, self.rules)

    def account(self, rule: int = 0, key: str = "1") -> Account:
        return self.ledger.account(self.rules.rules[rule], "acme", "order", key)


def test_what_is_held_is_freed_and_what_was_spent_stays() -> None:
    books = Books(budget())
    assert books.ask(ask()) == Granted()
    assert books.account().held_nanos == 40
    books.settle(paid(30))
    assert (books.account().held_nanos, books.account().spent_nanos) == (0, 30)


def test_asked_again_it_is_the_same_hold() -> None:
    books = Books(budget(limit=50))
    assert [books.ask(ask()) for _ in range(3)] == [Granted()] * 3
    assert books.account().held_nanos == 40


def test_an_instance_that_went_on_holds_for_its_newest_base() -> None:
    books = Books(budget(limit=50))
    books.ask(ask(base=b"a"))
    assert books.ask(ask(base=b"b")) == Granted()
    assert books.account().held_nanos == 40


def test_calls_wait_for_what_is_held_and_are_refused_for_what_is_spent() -> None:
    books = Books(budget(limit=100))
    assert books.ask(ask("1")) == Granted()
    assert books.ask(ask("2")) == Granted()
    assert books.ask(ask("3")) == MustWait()
    books.settle(paid(10, "1"))
    assert books.ask(ask("3")) == Granted()
    books.settle(paid(40, "2"))
    books.settle(paid(40, "3"))
    refused = books.ask(ask("4"))
    assert isinstance(refused, Spent)
    assert (refused.budget.name, refused.until_us) == ("pot", 2 * HOUR)
    assert books.account().refused == 1
    assert is_refusing(refused.budget, books.account())
    raised = Budget()
    raised.CopyFrom(refused.budget)
    raised.limit_nanos, raised.updated_ms = 1_000, raised.updated_ms + 1
    assert not is_refusing(raised, books.account())


def test_a_call_that_cost_more_than_it_was_taken_for_counts_in_full() -> None:
    books = Books(budget(limit=100))
    books.ask(ask())
    books.settle(paid(500))
    assert books.account().spent_nanos == 500
    assert isinstance(books.ask(ask(base=b"b", estimate=1)), Spent)


def test_a_window_that_turns_gives_room_and_keeps_the_last_one() -> None:
    books = Books(budget(limit=50))
    books.ask(ask())
    books.settle(paid(50))
    books.ledger.see(2 * HOUR)
    assert books.ask(ask(base=b"b")) == Granted()
    account = books.account()
    assert (account.spent_nanos, account.previous_nanos, account.previous_us) == (0, 50, HOUR)
    # A partition whose clock is behind: it counts in its own window.
    books.settle(paid(7, "9", at_us=2 * HOUR - 1))
    assert books.account().previous_nanos == 57
    books.ledger.see(9 * HOUR)
    assert (books.account().previous_nanos, books.account().spent_nanos) == (0, 0)


def test_a_turn_counts_in_all_its_amounts_or_is_not_made() -> None:
    each = budget("each", 50, per=Budget.INSTANCE)
    books = Books(each, budget("pot", 1_000))
    books.ask(ask("1"))
    books.settle(paid(50, "1"))
    refused = books.ask(ask("1", b"b"))
    assert isinstance(refused, Spent) and refused.budget.name == "each"
    pot = books.account(0)
    assert (pot.budget, pot.held_nanos) == ("pot", 0)
    assert books.ask(ask("2")) == Granted()


def test_others_turns_do_not_count() -> None:
    books = Books(budget(tenant="acme", agent="order", limit=10))
    assert isinstance(books.ask(ask(estimate=40)), Spent)
    assert books.ask(ask(tenant="brick")) == Granted()
    assert books.ask(Ask(address="audit/1", tenant="acme", estimate_nanos=40)) == Granted()


def test_a_stand_in_takes_over_and_its_cost_counts_elsewhere() -> None:
    soft = budget("soft", 40, when_spent=Budget.DEGRADE, stand_in="small")
    books = Books(soft, budget("hard", 100))
    assert books.ask(ask()) == Granted()
    books.settle(paid(40))
    assert isinstance(books.ask(ask(base=b"b")), Spent), "nobody of that name is there"
    assert books.ask(ask(base=b"b"), ("small",)) == Granted("small")
    books.settle(paid(30, base=b"b", stand_in="small"))
    assert [books.account(n).spent_nanos for n in (0, 1)] == [70, 40]
    assert [books.account(n).budget for n in (0, 1)] == ["hard", "soft"]
    # What the stand-in costs of late does not fit what is left of the hard one.
    assert books.ask(ask(base=b"c"), ("small",)) == Granted("small")
    books.settle(paid(30, base=b"c", stand_in="small"))
    refused = books.ask(ask(base=b"d"), ("small",))
    assert isinstance(refused, Spent) and refused.budget.name == "hard"


def test_a_stand_in_that_left_is_not_waited_for() -> None:
    soft = budget("soft", 10, when_spent=Budget.DEGRADE, stand_in="small")
    books = Books(soft)
    assert books.ask(ask(), ("small",)) == Granted("small")
    assert isinstance(books.ask(ask()), Spent)


def test_what_calls_cost_of_late_is_learned_upwards_at_once() -> None:
    books = Books(budget(limit=10**9))
    assert books.ledger.estimate_of("order") == 0
    books.settle(paid(1_600))
    assert books.ledger.estimate_of("order") == 1_600
    books.settle(paid(0))
    assert books.ledger.estimate_of("order") == 1_500
    books.settle(paid(0, failed=True))
    assert books.ledger.estimate_of("order") == 1_500, "nobody knows what it would have cost"
    for _ in range(500):
        books.settle(paid(1))
    assert 1 <= books.ledger.estimate_of("order") <= 16


def test_the_first_call_of_an_agent_goes_alone_until_its_cost_is_known() -> None:
    books = Books(budget(limit=100))
    assert books.ask(ask("1", estimate=0)) == Granted()
    assert books.ask(ask("2", estimate=0)) == MustWait()
    assert books.ask(ask("1", estimate=0)) == Granted(), "asked for again"
    assert books.ask(ask("3", estimate=10)) == Granted(), "of this one it is known"
    books.settle(paid(0, "1", failed=True))
    assert books.ask(ask("2", estimate=0)) == Granted(), "the first one told nothing"
    books.settle(paid(45, "2"))
    assert books.ask(ask("4", estimate=0)) == Granted()
    assert books.ask(ask("5", estimate=0)) == MustWait(), "it is taken for 45 now"


def test_a_first_call_that_hangs_does_not_hold_up_others_for_good() -> None:
    books = Books(budget(limit=100))
    books.ask(ask("1", estimate=0))
    books.ledger.see(HOUR + ledger.TRIAL_US)
    assert books.ask(ask("2", estimate=0)) == Granted()


def test_a_batch_is_taken_for_as_many_events() -> None:
    books = Books(budget(limit=100))
    three = ask("1", estimate=30)
    three.events = 3
    assert books.ask(three) == Granted()
    assert books.account().held_nanos == 90
    books.settle(paid(60, "1", events=3))
    assert books.ledger.estimate_of("order") == 20
    three = ask("2", estimate=0)
    three.events = 3
    refused = books.ask(three)
    assert isinstance(refused, Spent) and refused.fewer_fit
    assert books.account().refused == 0
    assert books.ask(ask("2", estimate=0)) == Granted()
    books.settle(paid(40, "2"))
    refused = books.ask(three)
    assert isinstance(refused, Spent) and not refused.fewer_fit


def test_a_budget_made_anew_begins_anew_and_frees_what_was_held() -> None:
    books = Books(budget(limit=50, since_us=1))
    books.ask(ask("1"))
    books.settle(paid(30, "2"))
    books.rules = Budgets([budget(limit=50, since_us=HOUR + 1)])
    assert (books.account().spent_nanos, books.account().held_nanos) == (0, 40)
    books.settle(paid(40, "1"))
    assert (books.account().spent_nanos, books.account().held_nanos) == (0, 0)
    books.settle(paid(9, "3", at_us=HOUR + 2))
    assert books.account().spent_nanos == 9


def test_an_outcome_on_an_older_base_frees_nothing() -> None:
    """A loser of a race comes late; the next call is under way."""
    books = Books(budget())
    books.ask(ask(base=b"a"))
    books.ask(ask(base=b"b"))
    books.settle(paid(10, base=b"a"))
    assert (books.account().held_nanos, books.account().spent_nanos) == (40, 10)


def test_what_was_spent_two_windows_ago_is_not_of_the_last_one() -> None:
    books = Books(budget())
    books.settle(paid(30))
    books.ledger.see(3 * HOUR)
    account = books.account()
    assert (account.previous_us, account.previous_nanos) == (2 * HOUR, 0)


def test_only_its_own_stand_in_is_let_off() -> None:
    dear = budget("dear", when_spent=Budget.DEGRADE, stand_in="small")
    books = Books(dear)
    books.settle(paid(30, stand_in="tiny"))
    assert books.account().spent_nanos == 30
    books.settle(paid(30, "2", stand_in="small"))
    assert books.account().spent_nanos == 30


def test_what_a_stand_in_costs_is_learned_of_it() -> None:
    books = Books(budget())
    books.settle(paid(3, stand_in="small"))
    assert books.ledger.estimate_of("small") == 3
    assert books.ledger.estimate_of("order") == 0


def test_one_call_that_cost_more_than_a_window_has_does_not_end_all_later_ones() -> None:
    books = Books(budget(limit=100))
    books.settle(paid(5_000))
    assert isinstance(books.ask(ask("2", estimate=0)), Spent)
    books.ledger.see(2 * HOUR)
    assert books.ask(ask("2", estimate=0)) == Granted()
    assert books.ask(ask("3", estimate=0)) == MustWait(), "it is taken for all that there is"
    books.settle(paid(1, "2", at_us=2 * HOUR))
    assert books.ledger.estimate_of("order") < 5_000


def test_nonsense_that_agents_report_does_not_stop_the_ledger() -> None:
    books = Books(budget(limit=2**63 - 1))
    for key in ("1", "2", "3"):
        books.settle(paid(MOST_NANOS, key))
    assert books.account().spent_nanos == 2**63 - 1
    assert isinstance(books.ask(ask()), Spent)
    books.settle(paid(0, "4", at_us=2 * HOUR))
    for key in ("5", "6"):
        books.settle(paid(MOST_NANOS, key))
    assert books.account().previous_nanos == 2**63 - 1


def test_what_an_outcome_costs_below_nothing_gives_no_room() -> None:
    books = Books(budget())
    books.settle(paid(90))
    books.settle(paid(-90, "2"))
    assert books.account().spent_nanos == 90


@pytest.mark.parametrize("key", ['a","b', "a/b", "", "\n"])
def test_no_two_amounts_have_one_name(key: str) -> None:
    each = budget(per=Budget.INSTANCE)
    name = name_of(account_of(each, "acme", "order", key))
    others = [
        account_of(each, "acme", "order", "other"),
        account_of(each, f'acme","order","{key}', "order", ""),
        account_of(budget(per=Budget.AGENT), "acme", f'order","{key}', ""),
    ]
    assert name not in {name_of(other) for other in others}


def test_a_call_that_is_taken_for_less_than_nothing_gives_no_room() -> None:
    books = Books(budget())
    assert books.ask(ask("1", estimate=-50)) == Granted()
    assert books.account().held_nanos >= 0


def test_a_wide_amount_that_is_all_held_holds_up_what_a_narrow_one_would_let_go() -> None:
    books = Books(budget(), budget("each", per=Budget.INSTANCE))
    assert books.ask(ask("1", estimate=100)) == Granted()
    assert books.ask(ask("2", estimate=40)) == MustWait()


def test_a_window_that_turns_forgets_that_calls_were_refused() -> None:
    books = Books(budget())
    books.settle(paid(100))
    books.ask(ask())
    assert books.account().refused == 1
    books.ledger.at_us += 3_600_000_000
    books.settle(paid(1, at_us=books.ledger.at_us))
    assert books.account().refused == 0
