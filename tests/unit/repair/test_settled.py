"""What the broker's newest transaction of an id says of the one that a checkpoint has prepared."""

from __future__ import annotations

import pytest

from headgate.kafka.transactions import Transaction
from headgate.repair.checkpoint import Prepared
from headgate.repair.settled import Fate, fate_of

PREPARED = Prepared("headgate-records-0-1", 7, 3)


@pytest.mark.parametrize(
    ("producer", "epoch", "state", "bumps", "fate"),
    [
        (7, 3, "Ongoing", True, "open"),
        (7, 3, "CompleteCommit", False, "committed"),
        (7, 4, "CompleteCommit", True, "committed"),
        # Without bumps the next epoch is another transaction of the same id.
        (7, 4, "CompleteCommit", False, "ended"),
        (7, 4, "Ongoing", True, "ended"),
        (7, 4, "CompleteAbort", True, "ended"),
        (7, 5, "CompleteCommit", True, "ended"),
        (8, 3, "Ongoing", True, "ended"),
        (7, 4, "Empty", True, "ended"),
    ],
)
def test_a_fate(producer: int, epoch: int, state: str, bumps: bool, fate: Fate) -> None:
    now = Transaction(PREPARED.transactional_id, producer, epoch, state)
    assert fate_of(PREPARED, now, step=1 if bumps else 0) == fate


def test_an_id_that_the_broker_has_forgotten_has_ended() -> None:
    assert fate_of(PREPARED, None, step=1) == "ended"
