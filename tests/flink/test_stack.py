"""The embedded stack, started for real: both Python modes, kills, and no orphan."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from headgate.local import state_file
from headgate.local.saved import newest_checkpoint
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from tests.flink.exposure import assert_on_loopback

pytestmark = [pytest.mark.flink, pytest.mark.slow]

JOB = Path(__file__).with_name("copy_job.py")
MEMORY_LIMIT = 3 << 30

# Run as its own process, to be killed: it prints the ids of all processes once the job runs.
OWNER = """
import json, os, sys, time
from pathlib import Path
import psutil
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
home, job = map(Path, sys.argv[1:])
stack = LocalStack(home).start()
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
KafkaAdminClient(bootstrap_servers=stack.kafka.bootstrap.servers).create_topics(
    [NewTopic("in", 1, 1), NewTopic("out", 1, 1)])
stack.flink.rest.await_running(submit(stack.flink, job, [stack.kafka.bootstrap.servers]))
while not stack.python_worker_pids():
    time.sleep(0.1)
below = [process.pid for process in psutil.Process().children(recursive=True)]
print(json.dumps({"all": below, "workers": stack.python_worker_pids()}), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack with the copying job's topics."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    with LocalStack(tmp_path_factory.mktemp("stack")) as started:
        admin = KafkaAdminClient(bootstrap_servers=started.kafka.bootstrap.servers)
        admin.create_topics([NewTopic("in", 1, 1), NewTopic("out", 1, 1)])
        admin.close()
        yield started


@pytest.fixture(scope="module")
def job(stack: LocalStack) -> str:
    """The copying job, running."""
    submitted = submit(stack.flink, JOB, [stack.kafka.bootstrap.servers])
    stack.flink.rest.await_running(submitted)
    return submitted


def test_a_job_in_both_python_modes_copies_records(stack: LocalStack, job: str) -> None:
    publish(stack, "a", "b", "a")
    assert read(stack, 3) == {"A:0", "A:1", "B:0"}
    assert stack.flink.rest.state(job) == "RUNNING"
    assert len(stack.python_worker_pids()) == 1


def test_every_server_listens_on_loopback_but_for_beams(stack: LocalStack, job: str) -> None:
    await_true(stack.python_worker_pids)
    # Beam's servers are there before the worker, and metrics before the TaskManager registers.
    assert_on_loopback(stack)
    for url in stack.flink.metrics_urls.values():
        assert "flink_" in httpx.get(url, timeout=30.0).raise_for_status().text, url


def test_the_stack_fits_a_laptop(stack: LocalStack, job: str) -> None:
    # Not all children of this process: other tests' stacks may run beside this one.
    flink = stack.flink
    roots = [stack.kafka.pid, flink.job_manager_pid, *stack.task_manager_pids()]
    trees = [psutil.Process(pid) for pid in roots if pid is not None]
    assert len(trees) == 3
    processes = {*trees, *(child for tree in trees for child in tree.children(recursive=True))}
    assert len(processes) > 3, "the TaskManager's Python worker is among them"
    memory = sum(process.memory_info().rss for process in processes)
    assert memory < MEMORY_LIMIT, f"{memory >> 20} MB in all"


def test_a_killed_task_manager_is_replaced_and_the_job_goes_on(stack: LocalStack, job: str) -> None:
    await_true(lambda: newest_checkpoint(stack.home, "in"))
    workers = stack.python_worker_pids()
    killed = stack.kill_task_manager(0)
    publish(stack, "a")
    assert "A:2" in read(stack, 4)
    assert killed not in stack.task_manager_pids()
    assert not set(workers) & set(stack.python_worker_pids())
    assert stack.restarts() == {"taskmanager-0": 1}


def test_a_killed_kafka_keeps_address_and_data(stack: LocalStack, job: str) -> None:
    stack.kafka.kill()
    assert stack.kafka.pid is None
    stack.kafka.start()
    assert read(stack, 4) >= {"A:0", "A:1", "A:2", "B:0"}


def test_a_second_stack_in_the_folder_is_refused(stack: LocalStack) -> None:
    with pytest.raises(state_file.StackRunningError, match="headgate down"):
        LocalStack(stack.home).start()


def test_no_orphan_when_the_owner_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path), str(JOB)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pids = json.loads(owner.stdout.readline())
        assert pids["workers"]
        assert set(pids["workers"]) <= set(pids["all"])
        os.kill(owner.pid, signal.SIGKILL)
    await_true(lambda: not state_file.is_locked(tmp_path))
    assert [pid for pid in pids["all"] if is_alive(pid)] == []


def publish(stack: LocalStack, *values: str) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=stack.kafka.bootstrap.servers)
    for value in values:
        producer.send("in", value.encode())
    producer.close()


def read(stack: LocalStack, count: int) -> set[str]:
    """Read `out` until it has `count` different values (the copying job's sink may repeat)."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        "out",
        bootstrap_servers=stack.kafka.bootstrap.servers,
        auto_offset_reset="earliest",
        # A killed TaskManager is replaced within half a minute even on a machine that is busy.
        consumer_timeout_ms=180_000,
    )
    values: set[str] = set()
    for record in consumer:
        values.add(record.value.decode())
        if len(values) == count:
            break
    consumer.close()
    return values


def await_true(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not become true in time"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
