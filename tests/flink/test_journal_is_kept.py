"""Rule 11: where the journal no longer holds a savepoint's offset, the job refuses to run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from headgate.config import Config, load
from headgate.kafka.connect import admin_client, open_producer
from headgate.local.jars import settings_folder
from headgate.local.rest import POLL_SECONDS
from headgate.local.stack import LocalStack
from headgate.local.submit import submit

pytestmark = [pytest.mark.flink, pytest.mark.slow]

SECONDS = 240.0
REFUSAL = "OffsetOutOfRangeException"


def lose_a_record(config: Config) -> None:
    """Write what the job has not read, and delete it, as too short a retention does."""
    from kafka import TopicPartition

    producer = open_producer(config.kafka.bootstrap, delivery_seconds=30)
    topic = config.topic_names.journal
    written = producer.send(topic, key=b"order/17", value=b"an outcome", partition=0).get(30)
    producer.close()
    with admin_client(config.kafka.bootstrap) as admin:
        admin.delete_records({TopicPartition(topic, 0): written.offset + 1})


def await_refusal(stack: LocalStack, job: str) -> str:
    """Return the first failure of the job, once there is one."""
    deadline = time.monotonic() + SECONDS
    while not (found := stack.flink.rest.exceptions(job)):
        assert time.monotonic() < deadline, "the job went on without the journal"
        time.sleep(POLL_SECONDS)
    return found[-1]


def test_a_job_does_not_go_on_where_outcomes_are_missing(tmp_path: Path) -> None:
    with LocalStack(tmp_path / "stack") as stack:
        path = tmp_path / "headgate.toml"
        text = f'[kafka]\nbootstrap = "{stack.kafka.bootstrap}"\npartitions = 1\n'
        path.write_text(text, encoding="utf-8")
        config = load(path)
        script = settings_folder().parent / "jobs" / "agent_runtime.py"
        rest = stack.flink.rest
        first = submit(stack.flink, script, ["--config", str(path)])
        rest.await_running(first, SECONDS)
        saved = rest.stop_with_savepoint(first, stack.flink.savepoints.as_uri(), SECONDS)
        lose_a_record(config)
        second = submit(stack.flink, script, ["--config", str(path)], restore_from=saved)
        cause = await_refusal(stack, second)
        assert REFUSAL in cause
        assert config.topic_names.journal in cause
        rest.cancel(second)
