"""Repairing up to a checkpoint: see what is settled, look for gaps, fill them."""

from __future__ import annotations

from collections.abc import Container

from headgate.config import Config
from headgate.errors import HeadgateError
from headgate.kafka.span import await_settled
from headgate.repair.checkpoint import Checkpoint
from headgate.repair.fill import fill
from headgate.repair.gaps import Survey, survey
from headgate.repair.settled import fates


class NotSettledError(HeadgateError):
    """Transactions of the checkpoint are still open: what they hold is not lost.

    Operator action: restore the checkpoint, which commits them, or run `headgate job release
    --checkpoint PATH`, which does the same without starting the job. Then repair.
    """


def repair(
    config: Config, checkpoint: Checkpoint, *, since_ms: int = 0, is_dry: bool = False
) -> Survey:
    """Write what turns before the checkpoint's journal position made and nobody can see.

    What comes after that position is the job's own to write: it goes on from there.

    Raises:
        NotSettledError, OpenTransactionsError: what is visible is not final yet.
        RepairError: nothing was written.
    """
    found = survey_settled(config, checkpoint, since_ms=since_ms)
    if not is_dry:
        fill(config, found.gaps)
    return found


def survey_settled(
    config: Config,
    checkpoint: Checkpoint,
    *,
    since_ms: int = 0,
    history_since_ms: int = 0,
    besides: Container[int] = (),
) -> Survey:
    """Look for gaps before a checkpoint's journal position, once nothing can change any more.

    besides: partitions of the journal that need no look.

    Raises:
        NotSettledError, OpenTransactionsError: it still can.
    """
    names, partitions = config.topic_names, config.kafka.partitions
    waiting = fates(config.kafka.bootstrap, checkpoint.prepared).open
    if waiting:
        listed = ", ".join(each.transactional_id for each in waiting)
        message = (
            f"{len(waiting)} transactions of {checkpoint.path} are still open ({listed}): what "
            "they hold is not lost. Restore the checkpoint, or end them with `headgate job release "
            f"--checkpoint {checkpoint.path}`; then try again."
        )
        raise NotSettledError(message)
    await_settled(
        config.kafka.bootstrap,
        [names.outbox, names.history, names.dead_letters, names.parked],
        partitions,
    )
    found = checkpoint.next_offsets(names.journal, partitions)
    positions = {number: offset for number, offset in found.items() if number not in besides}
    return survey(config, positions, since_ms=since_ms, history_since_ms=history_since_ms)
