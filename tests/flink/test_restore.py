"""Rules 13 and 15 on the cluster: old savepoints, and outages that outlive transactions.

The order of the tests is that of one job's life; each begins where the one before it ended.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from headgate.flink.checkpoints import read_checkpoint
from headgate.local.rest import JobFailedError
from headgate.local.stack import LocalStack
from headgate.testing.serving import Serving
from tests.flink.outage import PAUSE, Job, counter, headgate

pytestmark = [pytest.mark.flink, pytest.mark.slow]

KEYS = ("a", "b", "c")
# Turn 3 of a gave an event up: it has no output.
SINCE_IDS = ["counter/a/4/0", "counter/b/3/0", "counter/c/3/0"]
FIRST_IDS = sorted([f"counter/{key}/{turn}/0" for key in KEYS for turn in (1, 2)] + SINCE_IDS)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """Kafka, Flink and an agent; the tests start and stop the job."""
    home = tmp_path_factory.mktemp("restore")
    with Serving(counter()) as serving, LocalStack(home, flink_settings=PAUSE) as stack:
        yield Job(stack, serving.endpoint)


def test_an_outage_longer_than_the_transactions_is_refused_and_repaired(job: Job) -> None:
    job.start()
    job.send((key, {"n": n}) for n in (1, 2) for key in KEYS)
    job.send([("a", {"n": 3, "bad": True})])
    saved = job.savepoint()
    job.cancel()
    written = {kind: job.values(kind, is_committed=False) for kind in ("outbox", "history")}
    letters = job.values("dead_letters", is_committed=False)
    prepared = read_checkpoint(saved).prepared
    assert len(prepared) == 1, "one transaction for all outputs"
    assert job.values("history") == []
    job.await_aborted(prepared)

    with pytest.raises(JobFailedError, match="headgate repair") as refusal:
        job.start(saved)
    assert "LongOutageError" in str(refusal.value)
    assert "14 records" in str(refusal.value)

    dry = headgate(job, "repair", "--checkpoint", saved, "--dry-run")
    assert (len(dry["missing"]), dry["written"], dry["uncertain"]) == (14, 0, [])
    assert job.values("history") == []
    assert headgate(job, "repair", "--checkpoint", saved)["written"] == 14
    # What the job wrote and the broker aborted, byte for byte.
    for kind, values in written.items():
        assert sorted(job.values(kind)) == sorted(values)
    assert job.values("dead_letters") == letters
    again = headgate(job, "repair", "--checkpoint", saved)
    assert (again["missing"], again["turns"]) == ([], 7)

    job.start(saved)
    job.send((key, {"n": 4}) for key in KEYS)
    job.stop()
    assert job.output_ids() == FIRST_IDS


def test_an_older_savepoint_is_taken_with_a_flag_only(job: Job) -> None:
    before = Counter(job.values("outbox"))
    with pytest.raises(JobFailedError, match="OlderSavepointError") as refusal:
        job.start(job.saved[0])
    assert "--reemit" in str(refusal.value)
    # To start without any is to restore the oldest there is.
    with pytest.raises(JobFailedError, match="no checkpoint is older"):
        job.start()
    turns = job.turns()
    job.start(job.saved[0], "--reemit")
    job.await_turns(turns + len(KEYS))
    job.stop()
    again = Counter(job.values("outbox")) - before
    # Nothing is undone, nothing is new: what came after the savepoint is there twice.
    assert sorted(json.loads(value)["id"] for value in again) == SINCE_IDS
    assert all(before[value] == 1 and count == 1 for value, count in again.items())
