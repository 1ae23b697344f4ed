"""What a call cost: by the provider's word, else by the job's prices.

Amounts are whole nanos, 1e-9 of the currency of the terms, so that a sum is the same wherever it is
made. Parts of a nano are rounded up, once for each usage.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from headgate.v1.agent_pb2 import Usage
from headgate.v1.cost_pb2 import Price, Terms

NANOS = 1_000_000_000
"""Nanos of one unit of the currency."""

MOST_NANOS = 2**62
"""What one call costs at most: nonsense that an agent reports must not overflow the sums."""

NO_TERMS = Terms()
"""Nothing costs anything."""

NAME_CHARS = 256
"""Of a model's name, what prices look at. Agents say it, and names that were looked at are
remembered.
"""

_MILLION = 1_000_000


def cost_of(
    terms: Terms, agent_type: str, usage: Iterable[Usage], *, called_us: int, answered_us: int
) -> int:
    """Return what a call of an agent type cost, in nanos of ``terms.currency``.

    Each usage costs what the provider says, if it names this currency, else what the price of its
    model makes of its tokens, its call and its duration. To them comes what a call of the agent
    type itself costs. What has no price costs nothing.

    called_us, answered_us: when the call began and ended, microseconds since the epoch. Prices are
        those of the beginning.
    """
    total = 0
    known: dict[str, Price | None] = {}
    for each in usage:
        if each.cost_micros > 0 and each.currency.upper() == terms.currency:
            total += each.cost_micros * 1_000
            continue
        model = each.model
        if model not in known:
            known[model] = _price(terms, called_us, model=model)
        price = known[model]
        if price is not None:
            tokens = each.input_tokens * price.input_nanos
            tokens += each.output_tokens * price.output_nanos
            total += price.call_nanos - (-tokens // _MILLION)
            total += -(-max(0, each.duration_ms) * price.second_nanos // 1_000)
    price = _price(terms, called_us, agent=agent_type)
    if price is not None:
        duration_us = max(0, answered_us - called_us)
        total += price.call_nanos - (-duration_us * price.second_nanos // _MILLION)
    return max(0, min(total, MOST_NANOS))


def _price(terms: Terms, at_us: int, *, model: str = "", agent: str = "") -> Price | None:
    best: Price | None = None
    for price in terms.prices:
        name, pattern = (agent, price.agent) if agent else (model, price.model)
        if not pattern or not _matches(pattern, name[:NAME_CHARS]) or price.from_us > at_us:
            continue
        if best is None or price.from_us > best.from_us:
            best = price
    return best


@lru_cache(4_096)
def _matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern fits, whose stars stand for anything. Each part is looked for once,
    from where the last one ended: a regular expression went back, for seconds with four stars.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == name
    *parts, last = rest
    if not name.startswith(first):
        return False
    at = len(first)
    for part in parts:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - at >= len(last) and name.endswith(last)


def money(nanos: int, currency: str) -> str:
    """Return an amount for people: two places, more where less would say nothing.

    >>> money(12_346_000_000, "USD"), money(1_234_567, "USD"), money(0, "USD")
    ('12.35 USD', '0.0012 USD', '0.00 USD')
    """
    value = Decimal(nanos) / NANOS
    places = 2 if not nanos or abs(value) >= 1 else max(2, 1 - value.adjusted())
    return f"{value:.{places}f} {currency}"


def units(nanos: int) -> str:
    """Return an amount in units of the currency, exact.

    >>> units(1_500_000_000), units(0), units(25)
    ('1.5', '0', '0.000000025')
    """
    text = f"{Decimal(nanos) / NANOS:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
