"""Rule 15 on the cluster: what `headgate dev` does by itself, and ending what a dead job left open.

The order of the tests is that of one job's life; the second begins where the first ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.cli.start import start_job
from headgate.flink.checkpoints import read_checkpoint
from headgate.flink.restore import check_restore
from headgate.local.stack import LocalStack
from headgate.repair.settled import fates
from headgate.testing.serving import Serving
from tests.flink.outage import PAUSE, Job, command, counter, headgate

pytestmark = [pytest.mark.flink, pytest.mark.slow]

KEYS = ("a", "b", "c")


def outputs_of(*turns: int) -> list[str]:
    """Return the ids of these turns' outputs."""
    return sorted(f"counter/{key}/{turn}/0" for key in KEYS for turn in turns)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """Kafka, Flink and an agent; the tests start and stop the job."""
    home = tmp_path_factory.mktemp("stopping")
    with Serving(counter()) as serving, LocalStack(home, flink_settings=PAUSE) as stack:
        yield Job(stack, serving.endpoint)


def test_dev_repairs_by_itself_and_goes_on(job: Job) -> None:
    job.id = start_job(job.stack, job.config, job.path, say=print)
    job.send((key, {"n": 1}) for key in KEYS)
    saved = job.savepoint()
    job.cancel()
    job.await_aborted(read_checkpoint(saved).prepared)
    said: list[str] = []
    job.id = start_job(job.stack, job.config, job.path, say=said.append)
    assert any("6 records" in each for each in said)
    assert job.output_ids() == outputs_of(1)


def test_what_a_dead_job_left_open_is_ended(job: Job) -> None:
    """A crash between the checkpoint and its commits, with outputs after it."""
    job.send((key, {"n": 2}) for key in KEYS)
    saved = job.savepoint()
    job.send((key, {"n": 3}) for key in KEYS)
    refusal = command(job, "job", "release", "--checkpoint", saved)
    assert (refusal.returncode, "still runs" in refusal.stderr) == (1, True)
    job.crash()
    assert not job.is_readable()
    done = headgate(job, "job", "release", "--checkpoint", saved)
    prepared = read_checkpoint(saved).prepared
    assert sorted(done["committed"]) == sorted(each.transactional_id for each in prepared)
    assert len(done["aborted"]) == 1
    assert job.is_readable()
    assert job.output_ids() == outputs_of(1, 2)
    assert fates(job.config.kafka.bootstrap, prepared).committed == prepared
    # The guards see that nothing is missing, and nothing newer than the checkpoint.
    check_restore(job.config, saved)
    assert headgate(job, "job", "release", "--for-good") == {"committed": [], "aborted": []}
