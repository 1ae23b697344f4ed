"""Guards before a job starts: nothing written twice, and nothing missing, without a flag.

They run where the job is submitted, before anything is. What they see and what they cannot see is
in docs/adr/0012-guards-before-a-restore.md.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from headgate.config import Config
from headgate.errors import HeadgateError
from headgate.flink.checkpoints import read_checkpoint
from headgate.kafka.span import OpenTransactionsError, Spans
from headgate.repair.checkpoint import Checkpoint, Prepared
from headgate.repair.gaps import Survey
from headgate.repair.newer import find_newer
from headgate.repair.run import NotSettledError, survey_settled
from headgate.repair.settled import fates

log = logging.getLogger(__name__)

# A checkpoint's last interval is not longer than its transactions live; what it read from the
# journal may have waited there while the job was away, or behind.
LOOK_BACK_MS = 3_600_000
# A busy partition's newest turn is not older than this, and tells of all before it. An hour of a
# job with 500 turns/s would take ten minutes to compare (100,000 turns took 28 s), and nothing
# runs.
GLANCE_MS = 10_000
NAMED = 3


class OlderSavepointError(HeadgateError):
    """What is to be restored is older than what has been put out.

    Operator action: restore the newest checkpoint. If it must be this one, give --reemit: outputs
    are then written a second time, with the same ids.
    """


class ForeignCheckpointError(HeadgateError):
    """What is to be restored is of another job: it reads another journal.

    Operator action: name a checkpoint of this job.
    """


class LongOutageError(HeadgateError):
    """Outputs that the checkpoint covers are missing: their transactions were aborted.

    Operator action: run `headgate repair --checkpoint PATH`, then submit again. With
    --after-long-outage the job starts without them; they can be repaired later.
    """


def check_restore(
    config: Config, path: str | None, *, reemit: bool = False, after_long_outage: bool = False
) -> None:
    """Refuse to restore what would write outputs twice, or leave some out.

    path: the checkpoint or savepoint; None if the job starts without one.

    Raises:
        ForeignCheckpointError, OlderSavepointError, LongOutageError: see there.
        CheckpointUnreadableError: it cannot be checked. Both flags together skip the checks.
    """
    if reemit and after_long_outage:
        log.warning("restoring %s unchecked", path or "nothing")
        return
    names, partitions = config.topic_names, config.kafka.partitions
    if path is None:
        if not reemit:
            _refuse_newer(config, "no checkpoint", dict.fromkeys(range(partitions), 0))
        return
    checkpoint = read_checkpoint(path)
    _refuse_foreign(checkpoint, names.journal)
    if not reemit:
        _refuse_newer(config, path, checkpoint.next_offsets(names.journal, partitions))
    if not after_long_outage:
        _refuse_gaps(config, checkpoint)


def _refuse_foreign(checkpoint: Checkpoint, journal: str) -> None:
    topics = sorted({topic for topic, _ in checkpoint.positions})
    if topics and journal not in topics:
        message = (
            f"{checkpoint.path} is of another job: it has read {', '.join(topics[:NAMED])}, "
            f"and not {journal}. Restore a checkpoint of this job, or see to kafka.prefix."
        )
        raise ForeignCheckpointError(message)


def _refuse_newer(config: Config, what: str, positions: dict[int, int]) -> None:
    newer = find_newer(config, positions)
    if newer is None:
        return
    message = (
        f"{what} is older than what has been put out: {newer.topic} has turn {newer.turn} of "
        f"{newer.at}, which it does not cover. Restoring it undoes no turn; it writes "
        "the outputs since then a second time, with the same ids. Restore the newest checkpoint, "
        "or give --reemit."
    )
    raise OlderSavepointError(message)


def _refuse_gaps(config: Config, checkpoint: Checkpoint) -> None:
    """Look for outputs of the checkpoint that no commit will make visible."""
    found = fates(config.kafka.bootstrap, checkpoint.prepared)
    if not found.ended:
        return
    try:
        seen = _seen(config, checkpoint, found.ended)
    except (NotSettledError, OpenTransactionsError) as error:
        message = (
            f"{len(found.ended)} of the {len(checkpoint.prepared)} transactions that "
            f"{checkpoint.path} has prepared have ended, and others are still open. Run `headgate "
            f"job release --checkpoint {checkpoint.path}`, then submit again."
        )
        raise LongOutageError(message) from error
    missing = [gap.id for gap in seen.gaps] + seen.uncertain
    if not missing:
        return
    listed = ", ".join(missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
    message = (
        f"{len(missing)} records that {checkpoint.path} covers are in no output topic ({listed}): "
        "the job was away for longer than job.transaction_timeout "
        f"({config.job.transaction_timeout}), and the broker has aborted their transactions. The "
        "journal still has what they are made of: run `headgate repair --checkpoint "
        f"{checkpoint.path}`, then submit again. Or give --after-long-outage to start without them."
    )
    raise LongOutageError(message)


def _seen(config: Config, checkpoint: Checkpoint, ended: Sequence[Prepared]) -> Survey:
    """Look for gaps, no further back than it takes.

    What one subtask puts out is in its transactions in the order of the journal. Where the newest
    turn of a partition is there, the last of them was committed, and with it all that the partition
    has in it: of a subtask that has one transaction in the checkpoint nothing else can be missing.
    """
    newest_ms = _newest(config, checkpoint)
    whole: set[int] = set()
    if len({each.transactional_id.rpartition("-")[0] for each in ended}) == len(ended):
        glance_ms = max(0, newest_ms - GLANCE_MS)
        whole = survey_settled(
            config, checkpoint, since_ms=glance_ms, history_since_ms=glance_ms
        ).whole
    timeout_ms = int(config.job.transaction_timeout.total_seconds() * 1_000)
    since_ms = max(0, newest_ms - LOOK_BACK_MS - timeout_ms)
    seen = survey_settled(
        config, checkpoint, since_ms=since_ms, history_since_ms=since_ms, besides=whole
    )
    if seen.uncertain:
        # Instances that were quiet before: where they stood is told further back.
        seen = survey_settled(config, checkpoint, since_ms=since_ms, besides=whole)
    return seen


def _newest(config: Config, checkpoint: Checkpoint) -> int:
    """Return when the last record that a checkpoint has read of the journal was written; of the
    partition where that is longest ago.
    """
    topic, partitions = config.topic_names.journal, config.kafka.partitions
    times: list[int] = []
    with Spans(config.kafka.bootstrap, is_read_committed=False) as journal:
        for partition, position in checkpoint.next_offsets(topic, partitions).items():
            last = journal.records(topic, partition, position - 1, position)
            times += [record.timestamp for record in last]
    return min(times, default=0)
