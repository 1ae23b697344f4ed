"""Budgets as they stand in the registry: what is no budget counts as none."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.kafka.money import read_budget
from headgate.v1.cost_pb2 import Budget


def budget(**fields: Any) -> Budget:
    made = Budget(name="pot", per=Budget.TENANT, window=Budget.HOUR, when_spent=Budget.DEFER)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_a_budget_is_read() -> None:
    assert read_budget("pot", budget().SerializeToString()) == budget()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "other"}, "it is the record of pot, and says that it is other"),
        ({"per": 0}, "what it is per"),
        ({"per": 9}, "what it is per"),
        ({"window": 9}, "what it is per"),
        ({"when_spent": 9}, "what it is per"),
        ({"schema_version": 2}, "newer than this Headgate"),
    ],
)
def test_what_is_no_budget_says_why(fields: dict[str, Any], why: str) -> None:
    read = read_budget("pot", budget(**fields).SerializeToString())
    assert isinstance(read, str)
    assert why in read


def test_what_is_nothing_at_all_says_why() -> None:
    assert "cannot be parsed" in str(read_budget("pot", b"\xff\xff"))
