"""Ending the transactions of a job that is gone, so that no reader waits for it.

What the checkpoint to be restored has prepared is decided already: it is committed, exactly as
restoring would do. All else is aborted: the job makes it again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from headgate.config import Config
from headgate.errors import HeadgateError
from headgate.kafka.span import Spans
from headgate.kafka.transactions import abort, commit, open_transactions
from headgate.repair.checkpoint import Checkpoint
from headgate.repair.settled import is_same

# The job's Invoke writes a tick into every partition each second.
TICK_SECONDS = 3.5
POLL_SECONDS = 0.25


class JobRunsError(HeadgateError):
    """The job still writes: to end its transactions would lose outputs.

    Operator action: cancel the job, or stop it with a savepoint. Then try again.
    """


@dataclass(frozen=True, slots=True)
class Released:
    """Transactional ids, by what became of their transactions."""

    committed: tuple[str, ...]
    aborted: tuple[str, ...]


def release(config: Config, checkpoint: Checkpoint | None) -> Released:
    """End all open transactions of the job's sinks. It must be gone (`assert_gone`).

    checkpoint: the one that will be restored; None if the job never comes back.
    """
    bootstrap = config.kafka.bootstrap
    prepared = checkpoint.prepared if checkpoint is not None else ()
    committed: list[str] = []
    aborted: list[str] = []
    for each in open_transactions(bootstrap, config.job.name):
        if any(is_same(one, each) for one in prepared):
            commit(bootstrap, each)
            committed.append(each.transactional_id)
        else:
            abort(bootstrap, each.transactional_id)
            aborted.append(each.transactional_id)
    return Released(tuple(committed), tuple(aborted))


def assert_gone(config: Config, seconds: float = TICK_SECONDS) -> None:
    """Wait for the ticks of a job that runs.

    Raises:
        JobRunsError: the journal grows.
    """
    topic = config.topic_names.journal
    with Spans(config.kafka.bootstrap, is_read_committed=False) as journal:
        before = _ends(journal, topic, config.kafka.partitions)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            if _ends(journal, topic, config.kafka.partitions) != before:
                message = (
                    f"the job still runs: {topic} grows. Cancel it, or stop it with a savepoint; "
                    "then try again"
                )
                raise JobRunsError(message)


def _ends(journal: Spans, topic: str, partitions: int) -> list[int]:
    return [journal.end(topic, number) for number in range(partitions)]
