"""Another parallelism on the cluster: a savepoint's shards move to other subtasks, under load."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.core.batch import records_in
from headgate.local.stack import LocalStack
from headgate.sdk import Agent, Event, RetryableError, Turn
from headgate.testing.serving import Serving
from headgate.v1.turn_pb2 import JournalRecord, Outcome
from tests.flink.outage import Job, await_found, headgate

pytestmark = [pytest.mark.flink, pytest.mark.slow]

PARTITIONS = 4
TENANTS = 6
KEYS = [f"team-{number % TENANTS}:{number}" for number in range(16)]
EACH = 20
LATER_SECONDS = 5
CALL = 1_000_000
"""Nanos of a call, as the prices below have it."""

MONEY = """\
tenant_before = ":"
estimate = 0.001

[cost]
currency = "USD"

[[cost.prices]]
agent = "*"
call = 0.001

[[budgets]]
name = "ample"
agent = "counter"
window = "total"
limit = 1000
"""
FOLDER = "an-ordinary-project-of-ours-"
"""Of a stack: as long as people's own. RocksDB may name files by the whole path of its data, and
pytest's folders are so long that it does not.
"""


@dataclass
class Seen:
    """The events of an instance, as it saw them."""

    numbers: list[int] = field(default_factory=list)


def recorder(name: str = "counter") -> Agent[Seen]:
    """Make an agent that tells the order of its events; it wants some of them later."""
    agent = Agent(name, Seen)
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


def ids_of(job: Job, agent: str) -> set[str]:
    """Return the ids of an agent's outputs, visible or not: what was aborted is there twice."""
    ids = {str(json.loads(value)["id"]) for value in job.values("outbox", is_committed=False)}
    return {each for each in ids if each.startswith(f"{agent}/")}


def spent(job: Job) -> Counter[str]:
    """Return what the ledger says that each tenant has spent, in nanos."""
    (ample,) = headgate(job, "budgets", "list")
    return Counter(
        {each["tenant"]: round(float(each["spent"]) * 10**9) for each in ample["amounts"]}
    )


def journaled(job: Job) -> Counter[str]:
    """Return what the agent's calls cost by the journal, by tenant, in nanos."""
    found: dict[bytes, Outcome] = {}
    for value in job.values("journal", is_committed=False):
        for raw in records_in(value):
            outcome = JournalRecord.FromString(raw).outcome
            if outcome.agent_type == "counter":
                found[outcome.outcome_id] = outcome
    costs: Counter[str] = Counter()
    for each in found.values():
        costs[each.tenant] += each.cost_nanos
    return costs


def await_counted(job: Job, *, calls: int) -> None:
    """Wait until the ledger has counted what was journaled, these calls at least."""
    costs = journaled(job)
    assert set(costs) == {f"team-{number}" for number in range(TENANTS)}
    assert sum(costs.values()) >= calls * CALL
    await_found(lambda: spent(job) == costs, "an account of all calls")


def attach(job: Job, name: str, endpoint: str) -> None:
    """Attach an agent to the running job, as one would type it."""
    arguments = ["agents", "attach", name, "--endpoint", endpoint, "--route", "events"]
    done = CliRunner().invoke(app.app, [*arguments, "--config", str(job.path)])
    assert done.exit_code == 0, done.output


def has_workers(stack: LocalStack, count: int) -> bool:
    """Tell whether so many subtasks of Invoke run; each has a worker of its own."""
    return len(stack.python_worker_pids()) == count


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a path of 41 characters."""
    with tempfile.TemporaryDirectory(prefix=FOLDER, dir="/tmp") as folder:
        yield Path(folder)


def test_a_job_goes_on_at_another_parallelism_and_back(home: Path) -> None:
    """Each stop comes amid turns: events unread, calls in flight, retries that wait.

    While there are two subtasks an agent is attached: instances of both take turns. The first
    change starts from a savepoint, the second from a checkpoint, whose files are RocksDB's own.
    What tenants have spent goes along: their shards are others than those of their instances.
    """
    with (
        Serving(recorder()) as serving,
        Serving(recorder("late")) as late,
        LocalStack(home, task_managers=2) as stack,
    ):
        job = Job(stack, serving.endpoint, partitions=PARTITIONS, more=MONEY)
        saved = None
        for life, parallelism in enumerate((1, 2, 1)):
            job.configure(parallelism=parallelism)
            job.start(saved)
            await_found(
                partial(has_workers, stack, parallelism),
                "one worker for each subtask",
            )
            if parallelism == 2:
                attach(job, "late", late.endpoint)
            before = job.turns()
            numbers = range(life * EACH, (life + 1) * EACH)
            # The last ones of a life are postponed: the next life has to wake them.
            job.publish((key, {"n": n, "later": n == numbers[-1]}) for n in numbers for key in KEYS)
            if life < 2:
                job.await_turns(before + len(KEYS))
                if parallelism == 2:
                    await_found(
                        lambda: {each.split("/")[1] for each in ids_of(job, "late")} == set(KEYS),
                        "a turn of the attached agent for each key",
                    )
            else:
                await_found(
                    lambda: len(ids_of(job, "counter")) >= 3 * EACH * len(KEYS), "the last output"
                )
                # Events may share a call, those of two lives do not.
                await_counted(job, calls=3 * len(KEYS))
            if parallelism == 2:
                saved = job.checkpoint()
                job.cancel()
            else:
                saved = job.stop()
        assert stack.flink.rest.exceptions(job.id) == []

        seen = defaultdict(list)
        for value in job.values("outbox"):
            event = json.loads(value)
            agent, key, _, _ = event["id"].split("/")
            if agent != "counter":
                continue
            seen[key].append((event["data"]["n"], event["data"]["place"]))
        expected = [(n, n + 1) for n in range(3 * EACH)]
        assert dict(seen) == dict.fromkeys(KEYS, expected), "each event once, in order"
        assert job.values("dead_letters") == []
