"""What is counted of the history: once, by its time, in bounded memory."""

from __future__ import annotations

import pytest

from headgate.ui.counts import Series
from headgate.ui.window import RECENT, SERIES, STEP_SECONDS, STEPS, Window
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_BUDGET,
    FAILURE_CODE_DEADLINE_EXCEEDED,
    Completed,
    Usage,
)
from headgate.v1.turn_pb2 import Failed, HistoryRecord

NOW = 1_700_000_000_000


def turn(
    number: int,
    *,
    offset: int | None = None,
    key: str = "1",
    at_ms: int = NOW,
    failed: int = 0,
    retry_ms: int = 0,
    call_ms: int = 20,
    usage: tuple[Usage, ...] = (),
    partition: int = 0,
    tenant: str = "",
    cost: int = 0,
) -> HistoryRecord:
    """A turn of order/KEY; its place in the journal is its number, if no other is given."""
    record = HistoryRecord(
        journal_partition=partition,
        journal_offset=number if offset is None else offset,
        journal_ms=at_ms,
        at_us=at_ms * 1_000,
    )
    outcome = record.outcome
    outcome.agent_type, outcome.key, outcome.turn = "order", key, number
    outcome.called_us, outcome.answered_us = at_ms * 1_000, (at_ms + call_ms) * 1_000
    if failed:
        outcome.failed.CopyFrom(Failed(code=failed, retry_after_ms=retry_ms))  # type: ignore[arg-type]
    else:
        outcome.completed.CopyFrom(Completed())
    outcome.usage.extend(usage)
    outcome.tenant, outcome.cost_nanos = tenant, cost
    return record


def test_a_turn_counts_once_also_when_the_history_repeats_it() -> None:
    window = Window()
    turns = [turn(n) for n in range(1, 6)]
    assert all(window.take(each) for each in turns)
    # An older savepoint was restored: all of it comes again, and then what is new.
    assert not any(window.take(each) for each in turns)
    assert window.take(turn(6))
    assert window.total(NOW).completed == 6


def test_outcomes_that_were_journaled_together_all_count() -> None:
    window = Window()
    together = [turn(1, offset=9, key=key) for key in "abc"]
    assert [window.take(each) for each in together] == [True] * 3
    assert [window.take(each) for each in together] == [False] * 3
    # Another partition has places of its own.
    assert window.take(turn(1, offset=1, key="d", partition=1))
    assert window.total(NOW).completed == 4


def test_what_is_older_than_the_window_is_forgotten() -> None:
    window = Window()
    window.take(turn(1, at_ms=NOW))
    later = NOW + (STEPS + 1) * STEP_SECONDS * 1_000
    window.take(turn(2, at_ms=later))
    # What comes late for its time is not counted where nobody sees it.
    window.take(turn(3, at_ms=NOW))
    assert window.total(later).completed == 1
    assert sum(good for good, _ in window.chart(later)) == 1
    assert len(window.chart(later)) == STEPS


def test_rates_latencies_and_failures_of_an_agent() -> None:
    window = Window()
    for n in range(1, 61):
        at_ms = NOW - (n % 30) * 1_000
        window.take(turn(n, at_ms=at_ms, call_ms=20, failed=FAILURE_CODE_AGENT_ERROR * (n <= 6)))
    found = window.total(NOW, "order")
    assert (found.completed, found.failed, dict(found.codes)) == (54, 6, {"agent_error": 6})
    median = found.latency_ms(0.5)
    assert median is not None
    assert 20 <= median <= 23, "half were answered within it"
    assert 1.4 <= window.rate(NOW + 5_000) <= 2.1
    assert window.total(NOW, "other").completed == 0
    assert window.total(NOW, "other").latency_ms(0.5) is None


def test_an_answer_is_what_agents_say_and_no_deadline_that_passed() -> None:
    window = Window()
    window.take(turn(1, at_ms=NOW))
    window.take(turn(2, at_ms=NOW + 9_000, failed=FAILURE_CODE_DEADLINE_EXCEEDED, key="slow"))
    assert window.last_ms("order") == NOW
    assert window.late("order") == ("order/slow", NOW + 9_000)
    # A failure is tried again after its pause: until then nobody waits for an answer.
    window.take(turn(3, at_ms=NOW, failed=FAILURE_CODE_AGENT_ERROR, retry_ms=20_000))
    assert window.last_ms("order") == NOW + 20_000
    window.take(turn(4, at_ms=NOW, failed=FAILURE_CODE_BUDGET, retry_ms=10**9))
    assert window.is_refused("order")
    assert window.last_ms("order") == NOW + 20_000
    assert window.total(NOW).failed == 2
    window.take(turn(5, at_ms=NOW))
    assert not window.is_refused("order")


def test_usage_by_agent_model_and_tenant_and_a_bound_on_how_many() -> None:
    window = Window()
    told = (Usage(model="a", input_tokens=3, output_tokens=1), Usage(model="b", input_tokens=5))
    window.take(turn(1, usage=told, tenant="acme", cost=70))
    by_series = {series: spent for _, series, spent in window.spent()}
    assert by_series[Series("order", "a", "acme")].input_tokens == 3
    assert by_series[Series("order", "b", "acme")].input_tokens == 5
    assert sum(spent.cost_nanos for spent in by_series.values()) == 70
    for n in range(2, SERIES + 50):
        window.take(turn(n, usage=told, tenant=f"t{n}"))
    assert len({series for _, series, _ in window.spent()}) <= SERIES + 1
    assert sum(spent.input_tokens for _, _, spent in window.spent()) == 8 * (SERIES + 49)


def test_a_provider_that_tells_its_price_is_believed_where_none_is_configured() -> None:
    window = Window()
    window.take(turn(1, usage=(Usage(model="a", cost_micros=12),)))
    assert [spent.cost_nanos for _, _, spent in window.spent()] == [12_000]


def test_the_instances_that_were_active_last_are_few() -> None:
    window = Window()
    for n in range(1, RECENT + 20):
        window.take(turn(n, key=str(n), at_ms=NOW + n))
    recent = window.recent()
    assert (len(recent), recent[0][0]) == (RECENT, f"order/{RECENT + 19}")


def test_an_instance_stays_in_sight_beside_a_busy_agent_and_older_turns_that_are_read_later() -> (
    None
):
    """A console that starts anew reads one partition of the history after the other."""
    window = Window()
    window.take(turn(1, key="newest", at_ms=NOW))
    for n in range(1, RECENT + 20):
        window.take(turn(n, key=str(n), partition=1, at_ms=NOW - n))
        busy = turn(n, key=str(n), partition=2, at_ms=NOW + n)
        busy.outcome.agent_type = "busy"
        window.take(busy)
    assert window.recent("order")[0] == ("order/newest", NOW)
    assert window.recent()[0][0].startswith("busy/")


def test_how_long_an_agent_was_waited_for_in_vain_is_not_how_long_it_takes() -> None:
    window = Window()
    for number in range(1, 4):
        window.take(turn(number, call_ms=100))
    window.take(turn(4, call_ms=30_000, failed=FAILURE_CODE_DEADLINE_EXCEEDED))
    slowest = window.total(NOW, "order").latency_ms(0.99)
    assert slowest is not None
    assert 100 <= slowest < 125


@pytest.mark.parametrize("place", [{"at_ms": 2**62}, {"offset": 2**62}])
def test_a_record_from_far_ahead_hides_no_turn_after_it(place: dict[str, int]) -> None:
    window = Window()
    foreign = turn(1)
    foreign.journal_ms = place.get("at_ms", NOW)
    foreign.journal_offset = place.get("offset", 1)
    assert not window.take(foreign)
    assert window.take(turn(2))
    assert window.total(NOW).completed == 1


def test_a_turn_of_very_many_models_is_counted_in_one_pass() -> None:
    window = Window()
    told = tuple(Usage(model=f"m{n % 30_000}", input_tokens=1) for n in range(60_000))
    window.take(turn(1, usage=told, cost=9))
    assert sum(spent.calls for _, _, spent in window.spent()) == 60_000
    assert sum(spent.cost_nanos for _, _, spent in window.spent()) == 9
