"""AgentSpec, the value of registry records: from headgate.toml and from bytes."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.message import DecodeError

from headgate.config import AgentConfig, Config, LimitsConfig, PolicyConfig
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, ADVICE_PARK
from headgate.v1.turn_pb2 import AgentSpec, Policy

SCHEMA_VERSION = 1


def spec_of(agent_type: str, agent: AgentConfig, limits: LimitsConfig) -> AgentSpec:
    """Return the registry's record of an agent in headgate.toml, without its time."""
    return AgentSpec(
        type=agent_type,
        endpoints=[agent.endpoint],
        policy=policy_of(agent.policy, limits),
        schema_version=SCHEMA_VERSION,
    )


def specs_of(config: Config) -> dict[str, AgentSpec]:
    """Return the records of all agents in headgate.toml by type."""
    return {name: spec_of(name, agent, config.limits) for name, agent in config.agents.items()}


def policy_of(policy: PolicyConfig, limits: LimitsConfig) -> Policy:
    """Return a policy as the protocol carries it: in milliseconds and bytes."""
    backoff = policy.backoff
    return Policy(
        deadline_ms=_ms(policy.deadline),
        max_attempts=policy.max_attempts,
        backoff_initial_ms=_ms(backoff.initial),
        backoff_max_ms=_ms(backoff.max),
        backoff_multiplier=backoff.multiplier,
        backoff_jitter=backoff.jitter,
        max_batch=policy.max_batch,
        on_exhausted=ADVICE_PARK if policy.on_exhausted == "park" else ADVICE_DEAD_LETTER,
        max_state_bytes=policy.max_state,
        log_window=policy.log_window,
        dedup_window_count=limits.dedup_window_count,
        dedup_window_ms=_ms(limits.dedup_window),
    )


def read_spec(key: bytes | None, value: bytes) -> AgentSpec | str:
    """Return the spec in a registry record, or why there is none."""
    try:
        name = (key or b"").decode()
        spec = AgentSpec.FromString(value)
    except (UnicodeDecodeError, DecodeError) as error:
        return f"it cannot be parsed: {error}"
    if spec.schema_version > SCHEMA_VERSION:
        return f"its schema version {spec.schema_version} is newer than this Headgate"
    if not name or spec.type != name:
        return f"its key {name!r} is not its type {spec.type!r}"
    return spec


def _ms(duration: timedelta) -> int:
    # Rounded up: less than a millisecond must not become "at once".
    return -(-duration // timedelta(milliseconds=1))
