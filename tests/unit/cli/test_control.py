"""What an operator decides about an instance is refused where there is nothing to decide."""

from __future__ import annotations

import pytest

from headgate.cli.control import nothing_to_do
from headgate.v1.turn_pb2 import InFlight, InstanceReport, StoredControl

IDLE = InstanceReport(control=StoredControl(turn=3))
PARKED = InstanceReport(control=StoredControl(turn=3, parked=True, mailbox_tail=1))
FLYING = InstanceReport(control=StoredControl(turn=3, mailbox_tail=1, in_flight=InFlight()))
TIRED = InstanceReport(control=StoredControl(turn=3, mailbox_tail=1, attempts=2, not_before_us=9))
NEVER = InstanceReport()
NEWER = InstanceReport(problem="of a newer version")


@pytest.mark.parametrize(
    ("verb", "found", "said"),
    [
        ("resume", IDLE, "is not parked"),
        ("resume", PARKED, ""),
        ("resume", TIRED, ""),
        ("skip", IDLE, "nothing waits"),
        ("skip", PARKED, ""),
        ("cancel", PARKED, "no turn in flight"),
        ("cancel", FLYING, ""),
        ("reset", IDLE, ""),
        ("park", PARKED, "is parked already"),
        ("park", IDLE, ""),
        ("park", NEVER, ""),
        ("resume", NEVER, "never was: mind the key"),
        ("skip", NEVER, "never was"),
        ("reset", NEVER, "never was"),
        ("resume", NEWER, ""),
    ],
)
def test_there_is_something_to_do(verb: str, found: InstanceReport, said: str) -> None:
    problem = nothing_to_do(verb, "order/17", found)
    assert said in problem
    assert bool(problem) == bool(said)
