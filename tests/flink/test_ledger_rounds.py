"""When the ledger looks at what waits and tells of accounts: once a second, without a cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.core.budgets import Budgets
from headgate.flink.exposed import Exposed
from headgate.flink.ledger import ROUND_MS, LedgerHost, LedgerSettings
from headgate.kafka.table import Shown
from headgate.v1.cost_pb2 import Account, Ask, Budget, LedgerInput, Price, Terms
from headgate.v1.turn_pb2 import InvokeRequest
from tests.flink.test_gate import JavaGroup, Stored

HOUR_MS = 3_600_000
KEYS = ("a", "b")


class Wall:
    """The machine's clock, and the timers that Flink was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ms = 1_800_000_000_000
        self.timers: list[int] = []
        clock = SimpleNamespace(time_ns=lambda: self.ms * 1_000_000)
        monkeypatch.setattr("headgate.flink.ledger.time", clock)

    def get_current_key(self) -> str:
        """Of the timer that rings."""
        return KEYS[0]

    def timer_service(self) -> Any:
        """Flink's."""
        return SimpleNamespace(register_processing_time_timer=self.timers.append)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """A clock in the test's hand."""
    return Wall(monkeypatch)


@pytest.fixture
def host() -> Any:
    """A ledger with nothing of Flink's around it."""
    made: Any = LedgerHost(LedgerSettings(Bootstrap("127.0.0.1:9"), "registry", "spending", KEYS))
    made._begin_life()
    made._table = SimpleNamespace(shown=Shown())
    made._entries, made._settled, made._unsaid = Stored(), Stored(), Stored()
    return made


def till_of(number: int, *, has_news: bool = True) -> Any:
    """A shard of tenants that has something to tell, or has not."""
    return SimpleNamespace(number=number, has_news=has_news, write=lambda: None, tell=dict)


def test_a_round_is_asked_for_once_for_each_that_has_news(wall: Wall, host: Any) -> None:
    began = wall.ms
    for _ in range(3):
        host._finish(till_of(0), wall)
        wall.ms += 100
    host._finish(till_of(1, has_news=False), wall)
    assert wall.timers == [began + ROUND_MS]
    host._finish(till_of(1), wall)
    assert wall.timers[1:] == [wall.ms + ROUND_MS]


def test_when_a_round_is_over_there_is_another_if_there_is_news(wall: Wall, host: Any) -> None:
    host._finish(till_of(0), wall)
    host._tills[0] = till_of(0, has_news=False)
    wall.ms += ROUND_MS
    host.on_timer(wall.timers.pop(), wall)
    assert not wall.timers
    wall.ms += 1
    host._finish(till_of(0), wall)
    assert wall.timers == [wall.ms + ROUND_MS]


def test_a_round_is_asked_for_anew_when_the_clock_was_put_back(wall: Wall, host: Any) -> None:
    host._finish(till_of(0), wall)
    wall.ms -= HOUR_MS
    for _ in range(2):
        host._finish(till_of(0), wall)
    assert wall.timers[1:] == [wall.ms + ROUND_MS]


def test_prices_go_to_invoke_before_the_first_call_that_they_count_for(
    wall: Wall, host: Any
) -> None:
    terms = Terms(currency="USD", prices=[Price(model="m", call_nanos=1)])
    host._table.shown = Shown(terms=terms)
    ask = Ask(address="order/1", base=b"b" * 16, tenant="acme", partition=1, request=b"")
    given = LedgerInput(shard=0, asks=[ask])
    given.ready.subtasks = 1
    rows = host.process_element(given.SerializeToString(), wall)
    assert [row._values[0] for row in rows] == [KEYS[1]]
    [first, *_] = requests_in(rows[0]._values[1])
    assert first.terms == terms


def requests_in(raw: bytes) -> list[InvokeRequest]:
    """Return what a row asks Invoke for."""
    made = InvokeRequest.FromString(raw)
    if not made.HasField("batch"):
        return [made]
    return [InvokeRequest.FromString(each) for each in made.batch.requests]


def test_a_window_that_is_over_is_shown_with_the_next_tick(wall: Wall, host: Any) -> None:
    host._exposed = Exposed(JavaGroup())
    rule = Budget(name="hour", limit_nanos=10, window=Budget.HOUR)
    host._table.shown = Shown(budgets=Budgets([rule]))
    began_us = wall.ms * 1_000 - wall.ms * 1_000 % (HOUR_MS * 1_000)
    host.process_element(LedgerInput(at_us=began_us + 1).SerializeToString(), wall)
    host._figures.take([Account(budget="hour", spent_nanos=50, window_us=began_us)])
    host._show()
    values = host._exposed._group.values
    assert values["headgate_budget_left_nanos", "budget=hour"] == -40
    over_us = began_us + HOUR_MS * 1_000
    host.process_element(LedgerInput(at_us=over_us).SerializeToString(), wall)
    assert values["headgate_budget_left_nanos", "budget=hour"] == 10
