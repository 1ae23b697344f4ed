"""Which dead letters options mean."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.cli.letter_filter import FilterError, LetterFilter, read_filter
from headgate.v1.turn_pb2 import DeadLetter

LETTER = DeadLetter(
    id="order/17/4", address="order/17", reason="agent_error", event_type="shop.order", at_ms=5_000
)
LETTER.origin.topic = "orders"
NOTHING: dict[str, Any] = dict.fromkeys(
    ("agent", "address", "reason", "event_type", "topic", "since", "until")
)


@pytest.mark.parametrize(
    ("one", "matches"),
    [
        ({}, True),
        ({"agent": "order"}, True),
        ({"agent": "orde"}, False),
        ({"address": "order/17"}, True),
        ({"address": "order/1"}, False),
        ({"reason": "agent_error"}, True),
        ({"reason": "not_json"}, False),
        ({"event_type": "shop.*"}, True),
        ({"event_type": "shop"}, False),
        ({"topic": "orders"}, True),
        ({"topic": "order"}, False),
        ({"since": "1970-01-01T00:00:05Z"}, True),
        ({"since": "1970-01-01T00:00:05.001Z"}, False),
        ({"until": "1970-01-01T00:00:05Z"}, False),
        ({"until": "1h"}, True),
        ({"since": "1h"}, False),
    ],
)
def test_a_letter_must_hold_to_every_option(one: dict[str, str], matches: bool) -> None:
    assert read_filter(None, **{**NOTHING, **one}).lets_through(LETTER) is matches
    other = {**NOTHING, **one, "reason": one.get("reason", "other")}
    if "reason" not in one:
        assert not read_filter(None, **other).lets_through(LETTER)


def test_ids_are_filters_too() -> None:
    assert read_filter(["order/17/4", "x"], **NOTHING).lets_through(LETTER)
    assert not read_filter(["x"], **NOTHING).lets_through(LETTER)
    assert read_filter([], **NOTHING) == LetterFilter()
    assert read_filter(None, **NOTHING).is_empty


@pytest.mark.parametrize("option", ["since", "until"])
def test_a_time_that_cannot_be_read_is_named(option: str) -> None:
    with pytest.raises(FilterError, match=f"--{option} 'yesterday': give how long ago"):
        read_filter(None, **{**NOTHING, option: "yesterday"})


def test_a_pattern_that_cannot_be_read_is_named() -> None:
    with pytest.raises(FilterError, match="--type: event type pattern"):
        read_filter(None, **{**NOTHING, "event_type": " x"})
