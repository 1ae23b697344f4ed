"""The refund workflow on the running job, while workers and TaskManagers die and its service
forgets: each refund ends as it should, and each payment is made once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.testing.stack import HeadgateStack
from tests import reference_agents
from tests.flink.kills import Kills

pytestmark = [pytest.mark.flink, pytest.mark.chaos, pytest.mark.slow]

refund = reference_agents.load("refund")
Bank = reference_agents.load("refund", "bank").Bank

REFUNDS = 40
ENDED = ("completed", "failed")


def order(number: int) -> dict[str, Any]:
    """Return an order: of four one is small, one waits for a person, one is fraud, one cannot be
    told and so is paid back.
    """
    return [
        {"account": f"a{number}", "cents": 100 + number, "text": "it came broken"},
        {"account": f"a{number}", "cents": 20_000 + number, "text": "it is late"},
        {"account": f"a{number}", "cents": 100 + number, "text": "a stolen card"},
        {"account": "closed", "cents": 100 + number, "text": "never came"},
    ][number % 4]


def predicted(number: int) -> tuple[str, Any]:
    cents = order(number)["cents"]
    return [
        ("completed", {"refunded": cents, "why": "damaged"}),
        ("completed", {"refunded": cents, "why": "late"}),
        ("completed", {"refunded": 0, "why": "fraud"}),
        ("failed", None),
    ][number % 4]


def test_refunds_under_kills(killed_stack: HeadgateStack, tmp_path: Path) -> None:
    stack = killed_stack
    bank = Bank(tmp_path / "bank.sqlite")
    stack.attach(refund.make_classifier())
    stack.attach(refund.make_workflow(bank))
    addresses = [f"refund/{number}" for number in range(REFUNDS)]
    stack.send("refund/0", "refund.asked", order(0))
    stack.history("refund/0")
    cluster = stack.cluster
    kills = Kills(cluster.stack, cluster.job, seed=5, each=1)
    kills.start()
    for number, address in enumerate(addresses[1:], 1):
        stack.send(address, "refund.asked", order(number))
        if number == REFUNDS // 2:
            # Another life of the service: none of its runs is in memory.
            kills.await_done(1)
            stack.attach(refund.make_workflow(bank))
    for number, address in enumerate(addresses):
        if number % 4 == 1:
            for _ in range(2):
                stack.signal(address, "decide", {"approve": True}, id=f"decide-{number}")
    kills.finish()

    def ends() -> list[Any] | None:
        found = [stack.state(address) for address in addresses]
        return found if all(state.status in ENDED for state in found) else None

    states = cluster.await_found(ends, "the end of all refunds")
    assert states is not None
    assert [(s.status, s.result) for s in states] == [predicted(n) for n in range(REFUNDS)]
    due = []
    for number in range(REFUNDS):
        cents = order(number)["cents"]
        due += [[cents], [cents], [], [cents, -cents]][number % 4]
    assert sorted(cents for _, _, cents, _ in bank.payments()) == sorted(due)
    done = [each.type for address in addresses for each in stack.outputs(address)]
    assert done.count("refund.done") == REFUNDS // 2
    assert done.count("refund.approval.wanted") == REFUNDS // 4
    assert stack.dead_letters == []
