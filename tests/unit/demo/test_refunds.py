"""The workflow demo's verdict: it must see a refund that ended otherwise, and money paid twice."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from headgate.demo import refunds as module
from headgate.demo.refunds import Found, Refunds


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Refunds, Found]:
    """A run of ten orders in which all went as it must."""
    monkeypatch.setattr(module, "JOB_SECONDS", 0.0)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    refunds = Refunds(tmp_path, 10, rate=1, kills=(), say=lambda _: None)
    found = Found(10)
    found.ended = {order.address: order.result() for order in refunds.orders}
    found.told = Counter(order.address for order in refunds.orders if order.is_told())
    for order in refunds.orders:
        for cents in order.payments():
            pay(refunds, cents)
    return refunds, found


def pay(refunds: Refunds, cents: int) -> None:
    with closing(sqlite3.connect(refunds._bank)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS payments (cents INTEGER, asked INTEGER)")
        database.execute("INSERT INTO payments VALUES (?, 1)", (cents,))


def test_what_went_well_is_verified(played: tuple[Refunds, Found]) -> None:
    refunds, found = played
    refunds._compare(found)
    assert found.verified
    assert sum(found.paid) > 0


def test_money_that_was_paid_twice_is_seen(played: tuple[Refunds, Found]) -> None:
    refunds, found = played
    pay(refunds, 100)
    refunds._compare(found)
    assert found.wrong == ["a payment of 100 cents was made 2 times, not 1"]


def test_another_end_or_none_is_seen(played: tuple[Refunds, Found]) -> None:
    refunds, found = played
    found.ended["refund/order-0"] = ("failed", None)
    del found.ended["refund/order-1"]
    refunds._compare(found)
    assert [each.partition(":")[0] for each in found.wrong] == ["refund/order-0", "refund/order-1"]


def test_a_notice_too_many_or_missing_is_seen(played: tuple[Refunds, Found]) -> None:
    refunds, found = played
    found.told["refund/order-0"] = 2
    del found.told["refund/order-1"]
    refunds._compare(found)
    assert found.wrong == [
        "refund/order-0: refund.done left 2 times",
        "refund/order-1: refund.done left 0 times",
    ]
