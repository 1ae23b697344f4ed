"""What calls cost, added up: each once, by whatever they are told apart."""

from __future__ import annotations

from typing import Any

from headgate.kafka.costs import Report
from headgate.v1.agent_pb2 import FAILURE_CODE_AGENT_ERROR, Usage
from headgate.v1.turn_pb2 import Outcome

MORNING = 1_795_989_600_000
"""2026-11-29T22:00Z, milliseconds."""

HOUR = 3_600_000


def outcome(number: int, cost: int, **more: Any) -> Outcome:
    fields: dict[str, Any] = {"agent_type": "order", "key": "1", "tenant": "acme", "called_us": 1}
    made = Outcome(outcome_id=number.to_bytes(16, "big"), cost_nanos=cost, **(fields | more))
    if not made.HasField("failed"):
        made.completed.SetInParent()
    return made


def test_each_call_counts_once_and_what_is_no_call_not_at_all() -> None:
    report = Report(("tenant",))
    for each in (
        outcome(1, 10**9),
        outcome(1, 10**9),
        outcome(2, 5 * 10**8),
        outcome(3, 7, called_us=0),
    ):
        report.take(each, MORNING)
    (row,) = report.views()
    assert (row["tenant"], row["calls"], row["cost"]) == ("acme", 2, "1.5")


def test_what_came_to_nothing_is_told_apart() -> None:
    report = Report(("agent",))
    failed = outcome(1, 3)
    failed.failed.code = FAILURE_CODE_AGENT_ERROR
    report.take(failed, MORNING)
    report.take(outcome(2, 4), MORNING)
    (row,) = report.views()
    assert (row["cost"], row["failed_cost"]) == ("0.000000007", "0.000000003")


def test_rows_are_in_the_order_of_time_and_within_it_the_dearest_first() -> None:
    report = Report(("hour", "agent"))
    report.take(outcome(1, 1, agent_type="later"), MORNING + HOUR)
    report.take(outcome(2, 1, agent_type="small"), MORNING)
    report.take(outcome(3, 9, agent_type="dear"), MORNING)
    report.take(outcome(4, 1, agent_type="asked", stand_in="taker"), MORNING + HOUR)
    told = [(row["hour"], row["agent"]) for row in report.views()]
    assert told[:2] == [("2026-11-29T22:00Z", "dear"), ("2026-11-29T22:00Z", "small")]
    assert {agent for _, agent in told[2:]} == {"later", "taker"}


def test_models_and_tokens_are_as_the_agent_told() -> None:
    report = Report(("model",))
    used = [Usage(model="a", input_tokens=3), Usage(model="b", output_tokens=4), Usage(model="a")]
    report.take(outcome(1, 1, usage=used), MORNING)
    report.take(outcome(2, 0), MORNING)
    rows = {row["model"]: row for row in report.views()}
    assert (rows["a, b"]["input_tokens"], rows["a, b"]["output_tokens"]) == (3, 4)
    assert rows["(none told)"]["calls"] == 1
