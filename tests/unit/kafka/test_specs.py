"""Agents of headgate.toml as records of the registry."""

import pytest

from headgate.config import loads
from headgate.kafka.specs import read_spec, specs_of
from headgate.v1.agent_pb2 import ADVICE_PARK
from headgate.v1.turn_pb2 import AgentSpec, Policy

TOML = """
[limits]
dedup_window_count = 7
dedup_window = "3s"
[agents.order]
endpoint = "localhost:7070"
[agents.order.policy]
deadline = "1500us"
max_attempts = 3
backoff = {initial = "200ms", max = "30s", multiplier = 3.0, jitter = 0.5}
max_batch = 9
on_exhausted = "park"
max_state = "5KB"
log_window = 11
"""


def test_a_policy_is_carried_whole_in_milliseconds() -> None:
    spec = specs_of(loads(TOML))["order"]
    assert spec == AgentSpec(
        type="order",
        endpoints=["localhost:7070"],
        schema_version=1,
        policy=Policy(
            deadline_ms=2,  # rounded up: never less than was asked for
            max_attempts=3,
            backoff_initial_ms=200,
            backoff_max_ms=30_000,
            backoff_multiplier=3.0,
            backoff_jitter=0.5,
            max_batch=9,
            on_exhausted=ADVICE_PARK,
            max_state_bytes=5_000,
            log_window=11,
            dedup_window_count=7,
            dedup_window_ms=3_000,
        ),
    )


def test_no_field_of_the_policy_is_forgotten() -> None:
    policy = specs_of(loads(TOML))["order"].policy
    assert {field.name for field, _ in policy.ListFields()} == set(Policy.DESCRIPTOR.fields_by_name)


def test_a_spec_that_was_written_is_read() -> None:
    spec = AgentSpec(type="order", schema_version=1)
    assert read_spec(b"order", spec.SerializeToString()) == spec


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        (b"order", b"\xff\xff", "cannot be parsed"),
        (b"\xff", AgentSpec(type="order").SerializeToString(), "cannot be parsed"),
        (b"other", AgentSpec(type="order").SerializeToString(), "is not its type"),
        (None, b"", "is not its type"),
        (b"o", AgentSpec(type="o", schema_version=2).SerializeToString(), "newer than this"),
    ],
)
def test_a_bad_record_is_a_reason_and_no_error(key: bytes, value: bytes, why: str) -> None:
    read = read_spec(key, value)
    assert isinstance(read, str)
    assert why in read
