"""The refund workflow in memory: every way that it may go, with crashes in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate.sdk.workflow import engine
from headgate.sim.face import HeadgateSim
from tests import reference_agents

module = reference_agents.load("refund")
Bank = reference_agents.load("refund", "bank").Bank

SMALL = {"account": "ann", "cents": 500, "text": "It came broken"}
LARGE = {"account": "ann", "cents": 25_000, "text": "it is late"}


@pytest.fixture
def bank(tmp_path: Path) -> Any:
    return Bank(tmp_path / "bank.sqlite")


@pytest.fixture
def sim(headgate_sim: HeadgateSim, bank: Any, monkeypatch: pytest.MonkeyPatch) -> HeadgateSim:
    """A Headgate with both agents, whose workflow remembers nothing: it is run again each turn."""
    monkeypatch.setattr(engine, "REMEMBERED_RUNS", 0)
    headgate_sim.attach(module.make_workflow(bank))
    headgate_sim.attach(module.make_classifier())
    return headgate_sim


def emitted(sim: HeadgateSim) -> list[str]:
    return [each.type for each in sim.outputs("refund/17")]


def paid(bank: Any) -> list[int]:
    return [cents for _, _, cents, _ in bank.payments()]


def test_a_small_refund_is_paid_at_once(sim: HeadgateSim, bank: Any) -> None:
    sim.send("refund/17", "refund.asked", SMALL)
    sim.crash()
    state = sim.state("refund/17")
    assert (state.status, state.result) == ("completed", {"refunded": 500, "why": "damaged"})
    assert paid(bank) == [500]


def test_a_large_one_waits_for_a_person_who_is_reminded(sim: HeadgateSim, bank: Any) -> None:
    sim.send("refund/17", "refund.asked", LARGE)
    sim.run()
    sim.crash()
    sim.advance(timedelta(days=5))
    assert emitted(sim) == ["refund.approval.wanted", "refund.reminder", "refund.reminder"]
    assert paid(bank) == []
    sim.crash(back=2)
    sim.signal("refund/17", "decide", {"approve": True})
    assert sim.state("refund/17").result == {"refunded": 25_000, "why": "late"}
    assert paid(bank) == [25_000]
    sim.advance(timedelta(days=30))
    assert emitted(sim)[-1] == "refund.done"


@pytest.mark.parametrize(
    ("order", "signal", "why"),
    [
        (LARGE, {"approve": False}, "not approved"),
        (LARGE, None, "not approved"),
        (SMALL | {"text": "my stolen card"}, None, "fraud"),
        (SMALL | {"text": ""}, None, "the complaint has no text"),
    ],
)
def test_what_is_not_refunded(
    sim: HeadgateSim, bank: Any, order: dict[str, Any], signal: Any, why: str
) -> None:
    sim.send("refund/17", "refund.asked", order)
    sim.run()
    if signal is not None:
        sim.signal("refund/17", "decide", signal)
    sim.advance(timedelta(days=8))
    assert sim.state("refund/17").result == {"refunded": 0, "why": why}
    assert paid(bank) == []


def test_a_payment_is_taken_back_where_a_later_step_fails(sim: HeadgateSim, bank: Any) -> None:
    sim.send("refund/17", "refund.asked", SMALL | {"account": "closed"})
    state = sim.state("refund/17")
    assert state.status == "failed"
    assert "nobody can be told" in state.error
    assert sorted(paid(bank)) == [-500, 500]


def test_what_is_no_order_fails(sim: HeadgateSim, bank: Any) -> None:
    sim.send("refund/17", "refund.asked", {"account": "ann", "cents": -1})
    assert sim.state("refund/17").status == "failed"
    assert paid(bank) == []
