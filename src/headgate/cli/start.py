"""The job of `headgate dev`: started from the newest checkpoint, and ended without a trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headgate.config import Config
from headgate.errors import HeadgateError
from headgate.local.jars import settings_folder
from headgate.local.rest import JobFailedError
from headgate.local.saved import newest_checkpoint
from headgate.local.stack import LocalStack
from headgate.local.submit import submit

# How the entry script names its refusal; headgate.flink.restore raises it.
LONG_OUTAGE = "LongOutageError"


def entry_script() -> Path:
    """Return where the job's script is in a working copy; an installed package has none."""
    return settings_folder().parent / "jobs" / "agent_runtime.py"


def start_job(
    stack: LocalStack, config: Config, path: Path, *flags: str, say: Callable[[str], None]
) -> str:
    """Submit the job from the newest checkpoint, wait until it runs, return its id.

    A laptop sleeps for longer than a transaction lives: what was lost so is repaired here, since
    nobody else can while nothing runs.
    """
    from headgate.upgrade.record import Folder

    script = entry_script()
    arguments = ["--config", str(path.resolve()), *flags]
    # Data of an earlier run is kept, so the job goes on from where it was.
    checkpoint = newest_checkpoint(stack.home, config.topic_names.journal)
    # An upgrade that is still at work would start its own beside it.
    with Folder(stack.home).locked():
        try:
            job = submit(stack.flink, script, arguments, restore_from=checkpoint)
        except JobFailedError as error:
            if LONG_OUTAGE not in str(error) or checkpoint is None:
                raise
            _repair(config, checkpoint, say)
            job = submit(stack.flink, script, arguments, restore_from=checkpoint)
    stack.flink.rest.await_running(job)
    _note(stack.home, job, path)
    return job


def _note(home: Path, job: str, path: Path) -> None:
    """Write down what the job was started from: the way back of an upgrade."""
    from headgate.upgrade.record import Current, Folder
    from headgate.upgrade.version import here, known

    folder = Folder(home)
    version = folder.copied(known(here(path, entry_script())))
    folder.keep_current(Current(job, version))


def end_transactions(stack: LocalStack, config: Config, *, say: Callable[[str], None]) -> None:
    """End what the job has left open at Kafka. Flink must have ended; never raises."""
    from kafka.errors import KafkaError

    from headgate.kafka.transactions import open_transactions
    from headgate.repair.release import release

    try:
        # Asked first: to read a checkpoint starts a JVM, and an idle job leaves nothing.
        if not open_transactions(config.kafka.bootstrap, config.job.name):
            return
        path = newest_checkpoint(stack.home, config.topic_names.journal)
        if path is None:
            release(config, None)
            return
        from headgate.flink.checkpoints import read_checkpoint

        release(config, read_checkpoint(path))
    except (HeadgateError, KafkaError) as error:
        # The stack ends all the same: the next start, or their timeout, ends them.
        say(f"transactions of the job stay open: {error}")


def _repair(config: Config, path: str, say: Callable[[str], None]) -> None:
    from headgate.flink.checkpoints import read_checkpoint
    from headgate.repair.release import release
    from headgate.repair.run import repair

    checkpoint = read_checkpoint(path)
    release(config, checkpoint)
    found = repair(config, checkpoint)
    say(
        f"the stack was away for longer than job.transaction_timeout: {len(found.gaps)} records of "
        "its last turns were lost and are written again from the journal"
    )
