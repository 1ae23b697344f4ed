"""What the demo reports: the documented JSON, and a verdict that every number can spoil."""

from dataclasses import replace

import pytest

from headgate.demo.calls import CallCounts
from headgate.demo.latency import Outage, Percentiles
from headgate.demo.report import Report
from headgate.demo.states import StateCheck
from headgate.demo.verify import Finding

STATES = StateCheck(checked=4, equal=4, stored=3, final=2, dialogues=2, findings=[])
GOOD = Report(
    seed=7,
    dialogues=2,
    events=4,
    turns=3,
    exactly_once=4,
    states=STATES,
    joint_goal_accuracy=0.98765,
    calls=CallCounts(3, 0, 0),
    journal=Percentiles(20, 40),
    outbox=Percentiles(700, 1_400),
    outages=[Outage("worker", 5.0, 1.8)],
    dead_letters=0,
    seconds=2.5,
    findings=[],
)
LOST = Finding("lost", "dialogue_state/7", "7/0", "in no completed turns")

DOCUMENTED = {
    "events": 4,
    "turns": 3,
    "lost": 0,
    "duplicated": 0,
    "out_of_order": 0,
    "states_checked": 4,
    "states_equal": 4,
    "joint_goal_accuracy": 0.9877,
    "calls": 3,
    "calls_paid_twice": 0,
    "latency_ms": {"journal": {"p50": 20, "p99": 40}, "outbox": {"p50": 700, "p99": 1_400}},
    "outages": [{"kind": "worker", "at_s": 5.0, "seconds": 1.8}],
    "verified": True,
}


def test_the_json_has_the_documented_keys() -> None:
    found = GOOD.to_json()
    assert {key: found[key] for key in DOCUMENTED} == DOCUMENTED


@pytest.mark.parametrize(
    "spoiled",
    [
        replace(GOOD, findings=[LOST]),
        replace(GOOD, exactly_once=3),
        replace(GOOD, states=replace(STATES, equal=3)),
        replace(GOOD, calls=CallCounts(4, 1, 0)),
        replace(GOOD, dead_letters=1),
        replace(GOOD, problem="nothing has moved for 120 s"),
    ],
)
def test_everything_that_must_hold_can_spoil_the_verdict(spoiled: Report) -> None:
    assert GOOD.verified
    assert not spoiled.verified
    assert not spoiled.to_json()["verified"]


def test_an_event_is_counted_once_however_often_it_is_found() -> None:
    again = replace(LOST, what="has no outputs in the outbox")
    report = replace(GOOD, findings=[LOST, again])
    assert report.to_json()["lost"] == 1
    assert ("lost", "1", "WRONG") in report.rows()


def test_complaints_name_address_and_event() -> None:
    assert replace(GOOD, findings=[LOST]).complaints() == [
        "lost: dialogue_state/7, event 7/0: in no completed turns"
    ]
    many = replace(GOOD, findings=[LOST] * 30).complaints()
    assert len(many) == 21
    assert "30 lost" in many[-1]
