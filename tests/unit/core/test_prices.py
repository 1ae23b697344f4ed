"""What calls cost, by the provider's word or by the job's prices."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.prices import MOST_NANOS, cost_of, money
from headgate.v1.agent_pb2 import Usage
from headgate.v1.cost_pb2 import Price, Terms

NOW = 1_700_000_000_000_000
SMALL = Price(model="small-*", input_nanos=250_000_000, output_nanos=2_000_000_000)


def cost(terms: Terms, *usage: Usage, agent: str = "order", seconds: float = 0.5) -> int:
    answered = NOW + int(seconds * 1_000_000)
    return cost_of(terms, agent, usage, called_us=NOW, answered_us=answered)


def terms(*prices: Price) -> Terms:
    return Terms(currency="USD", prices=prices)


def test_tokens_cost_what_a_million_costs() -> None:
    used = Usage(model="small-1", input_tokens=1_000, output_tokens=500)
    assert cost(terms(SMALL), used) == 250_000 + 1_000_000


def test_parts_of_a_nano_are_rounded_up() -> None:
    dust = Price(model="dust", input_nanos=1)
    assert cost(terms(dust), Usage(model="dust", input_tokens=1)) == 1
    assert cost(terms(dust), Usage(model="dust", input_tokens=0)) == 0


def test_the_providers_own_price_counts_in_its_currency_alone() -> None:
    told = Usage(model="small-1", input_tokens=1_000, cost_micros=7, currency="usd")
    assert cost(terms(SMALL), told) == 7_000
    told.currency = "EUR"
    assert cost(terms(SMALL), told) == 250_000


def test_calls_and_seconds_of_models_and_agents_add_up() -> None:
    model = Price(model="*", call_nanos=10, second_nanos=1_000)
    agent = Price(agent="order", call_nanos=100, second_nanos=2_000)
    used = Usage(model="voice", duration_ms=1_500)
    assert cost(terms(model, agent), used, used, seconds=2) == 2 * (10 + 1_500) + 100 + 4_000
    assert cost(terms(agent), agent="other") == 0


def test_the_latest_price_that_holds_counts_and_among_equals_the_first() -> None:
    old = Price(model="small-1", input_nanos=1_000_000)
    new = Price(model="small-*", input_nanos=5_000_000, from_us=NOW)
    later = Price(model="small-1", input_nanos=9_000_000, from_us=NOW + 1)
    used = Usage(model="small-1", input_tokens=1_000)
    assert cost(terms(old, new, later), used) == 5_000
    twin = Price(model="small-*", input_nanos=7_000_000, from_us=NOW)
    assert cost(terms(twin, new), used) == 7_000


def test_a_pattern_is_no_regular_expression() -> None:
    odd = Price(model="a.b(*", call_nanos=1)
    assert cost(terms(odd), Usage(model="a.b(c")) == 1
    assert cost(terms(odd), Usage(model="axb(c")) == 0


@given(
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
)
def test_nonsense_costs_something_that_can_be_stored(tokens: int, ms: int, micros: int) -> None:
    price = Price(model="*", input_nanos=2**62, second_nanos=2**62, call_nanos=1)
    used = Usage(model="m", input_tokens=tokens, duration_ms=ms, cost_micros=micros, currency="USD")
    assert 0 <= cost(terms(price), used) <= MOST_NANOS


def test_a_name_of_any_length_is_matched_at_once() -> None:
    """An agent says it: a provider's name for a model that fills a record."""
    slow, quick = Price(model="*a*b", call_nanos=1), Price(model="a*", call_nanos=2)
    begun = time.process_time()
    assert cost(terms(slow, quick), Usage(model="a" * 200_000)) == 2
    assert time.process_time() - begun < 5, "half a minute, were all of it looked at"


def test_a_price_below_nothing_makes_no_room_in_a_budget() -> None:
    assert cost(terms(Price(model="*", input_nanos=-(2**62))), Usage(input_tokens=2**64 - 1)) == 0


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00 USD"),
        (1, "0.0000000010 USD"),
        (990_000_000, "0.99 USD"),
        (1_500_000_000, "1.50 USD"),
        (12_000_000_000_000, "12000.00 USD"),
    ],
)
def test_amounts_for_people(nanos: int, text: str) -> None:
    assert money(nanos, "USD") == text


def test_a_clock_that_was_set_back_makes_no_call_cheaper() -> None:
    slow = Price(agent="order", call_nanos=5, second_nanos=1_000)
    assert cost(terms(slow), seconds=-3_600.0) == 5


def test_a_models_name_of_several_lines_has_its_price() -> None:
    assert (
        cost(terms(Price(model="gpt*", input_nanos=10**6)), Usage(model="gpt\nx", input_tokens=1))
        == 1
    )


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a*", "abc", True),
        ("*c", "abc", True),
        ("a*c", "abc", True),
        ("a*a", "a", False),
        ("*b*", "abc", True),
        ("*b*b*", "abc", False),
        ("a*b*c", "a-c-b-c", True),
        ("a*bc*c", "abc", False),
        ("a**c", "ac", True),
        ("*", "", True),
        ("a.c", "abc", False),
        ("a*", "a\n", True),
    ],
)
def test_stars_stand_for_anything(pattern: str, name: str, *, fits: bool) -> None:
    priced = cost(terms(Price(model=pattern, call_nanos=1)), Usage(model=name))
    assert priced == fits


@given(st.text("ab*", min_size=1, max_size=8), st.text("ab", max_size=12))
def test_patterns_fit_as_those_of_file_names_do(pattern: str, name: str) -> None:
    fits = fnmatch.fnmatchcase(name, pattern)
    assert cost(terms(Price(model=pattern, call_nanos=1)), Usage(model=name)) == fits
