"""Another parallelism on the cluster: a savepoint's shards move to other subtasks, under load."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from headgate.local.stack import LocalStack
from headgate.sdk import Agent, Event, RetryableError, Turn
from headgate.testing.serving import Serving
from tests.flink.outage import Job, await_found

pytestmark = [pytest.mark.flink, pytest.mark.slow]

PARTITIONS = 4
KEYS = [f"key-{number}" for number in range(16)]
EACH = 20
LATER_SECONDS = 5


@dataclass
class Seen:
    """The events of an instance, as it saw them."""

    numbers: list[int] = field(default_factory=list)


def recorder() -> Agent[Seen]:
    """Make an agent that tells the order of its events; it wants some of them later."""
    agent = Agent("counter", Seen)
    postponed: set[str] = set()

    @agent.on("*")
    def record(turn: Turn[Seen], event: Event) -> None:
        number = event.data["n"]
        if event.data.get("later") and event.id not in postponed:
            postponed.add(event.id)
            message = "not yet"
            raise RetryableError(message, after=LATER_SECONDS)
        turn.state.numbers.append(number)
        turn.emit("counter.counted", {"n": number, "place": len(turn.state.numbers)})

    return agent


def count_outputs(job: Job) -> int:
    """Count the outputs, visible or not."""
    return len(job.values("outbox", is_committed=False))


def has_workers(stack: LocalStack, count: int) -> bool:
    """Tell whether so many subtasks of Invoke run; each has a worker of its own."""
    return len(stack.python_worker_pids()) == count


def test_a_job_goes_on_at_another_parallelism_and_back(tmp_path: Path) -> None:
    """Each stop comes amid turns: events unread, calls in flight, retries that wait."""
    with (
        Serving(recorder()) as serving,
        LocalStack(tmp_path, task_managers=2) as stack,
    ):
        job = Job(stack, serving.endpoint, partitions=PARTITIONS)
        saved = None
        for life, parallelism in enumerate((1, 2, 1)):
            job.configure(parallelism=parallelism)
            job.start(saved)
            await_found(
                partial(has_workers, stack, parallelism),
                "one worker for each subtask",
            )
            before = job.turns()
            numbers = range(life * EACH, (life + 1) * EACH)
            # The last ones of a life are postponed: the next life has to wake them.
            job.publish((key, {"n": n, "later": n == numbers[-1]}) for n in numbers for key in KEYS)
            if life < 2:
                job.await_turns(before + len(KEYS))
            else:
                await_found(lambda: count_outputs(job) >= 3 * EACH * len(KEYS), "the last output")
            saved = job.stop()
        assert stack.flink.rest.exceptions(job.id) == []

        seen = defaultdict(list)
        for value in job.values("outbox"):
            event = json.loads(value)
            _, key, _, _ = event["id"].split("/")
            seen[key].append((event["data"]["n"], event["data"]["place"]))
        expected = [(n, n + 1) for n in range(3 * EACH)]
        assert dict(seen) == dict.fromkeys(KEYS, expected), "each event once, in order"
        assert job.values("dead_letters") == []
