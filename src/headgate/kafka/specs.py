"""AgentSpec, the value of registry records: from headgate.toml and from bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from google.protobuf.message import DecodeError

from headgate.config import AgentConfig, Config, LimitsConfig, PolicyConfig, RouteConfig
from headgate.config.connections import BreakerConfig
from headgate.core.bounds import fault_of_policy
from headgate.core.patterns import compile_pattern
from headgate.kafka.money import nanos_of
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, ADVICE_PARK
from headgate.v1.connection_pb2 import WIRE_A2A, WIRE_HEADGATE, CallLimits, Connection
from headgate.v1.turn_pb2 import AgentSpec, JobRecord, Policy, Route

SCHEMA_VERSION = 1

OWN = b"@"
"""How the keys of records begin that are no agent's: no agent type does."""

JOB_KEY = b"@job"
"""Key of the one record in the registry that is no agent's: the JobRecord."""


def spec_of(
    agent_type: str, agent: AgentConfig, limits: LimitsConfig, routes: Sequence[RouteConfig] = ()
) -> AgentSpec:
    """Return the registry's record of an agent in headgate.toml, without its time."""
    spec = AgentSpec(
        type=agent_type,
        endpoints=[agent.endpoint, *agent.replicas],
        policy=policy_of(agent.policy, limits),
        schema_version=SCHEMA_VERSION,
        routes=[Route(topic=route.topic, type=route.type or "") for route in routes],
    )
    connection, call_limits = connection_of(agent), limits_of(agent.policy)
    if agent.wire == "a2a":
        # One message has one sender's words: a batch of events would be several.
        spec.policy.max_batch = 1
    if connection != Connection():
        spec.connection.CopyFrom(connection)
    if call_limits != CallLimits():
        spec.limits.CopyFrom(call_limits)
    if agent.tenant is not None:
        spec.tenancy.name = agent.tenant
    elif agent.tenant_before is not None:
        spec.tenancy.before = agent.tenant_before
    if agent.estimate is not None:
        spec.estimate_nanos = nanos_of(agent.estimate)
    return spec


def specs_of(config: Config) -> dict[str, AgentSpec]:
    """Return the records of all agents in headgate.toml by type."""
    return {
        name: spec_of(name, agent, config.limits, config.routes_of(name))
        for name, agent in config.agents.items()
    }


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
        dedup_window_count=policy.dedup_window_count or limits.dedup_window_count,
        dedup_window_ms=_ms(policy.dedup_window or limits.dedup_window),
        state_ttl_ms=_ms(policy.state_ttl) if policy.state_ttl else 0,
        mailbox_limit=policy.mailbox_limit or 0,
        holds_back=policy.on_full == "hold_back",
    )


def connection_of(agent: AgentConfig) -> Connection:
    """Return how an agent's endpoints are reached; empty where all is as by default."""
    connection = Connection(wire=WIRE_A2A if agent.wire == "a2a" else WIRE_HEADGATE)
    if agent.tls is not None:
        connection.tls.SetInParent()
        for field, value in agent.tls:
            if value is not None:
                setattr(connection.tls, field, value)
    if agent.token is not None:
        token = agent.token
        connection.token.header, connection.token.scheme = token.header, token.scheme
        if token.file is not None:
            connection.token.file = token.file
        if token.env is not None:
            connection.token.env = token.env
    breaker = agent.policy.breaker
    if breaker != BreakerConfig():
        connection.breaker.failures = breaker.failures
        connection.breaker.pause_ms = _ms(breaker.pause)
        connection.breaker.pause_max_ms = _ms(breaker.pause_max)
        connection.breaker.off = not breaker.failures
    return connection


def limits_of(policy: PolicyConfig) -> CallLimits:
    """Return what an agent type is allowed; empty where nothing is bounded."""
    return CallLimits(
        concurrency=policy.concurrency or 0, rate=policy.rate or 0, burst=policy.burst or 0
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
    wrong = fault_of_policy(spec.policy)
    if wrong:
        return f"its policy's {wrong}"
    try:
        for route in spec.routes:
            compile_pattern(route.type or "*")
    except ValueError as error:
        return f"its route from {route.topic!r}: {error}"
    return spec


def read_job(value: bytes | None) -> JobRecord | None:
    """Return what a job wrote about itself; None if that cannot be read."""
    try:
        job = JobRecord.FromString(value or b"")
    except DecodeError:
        return None
    # A newer version may mean something else by its topics: better ask headgate.toml.
    return job if 0 < job.schema_version <= SCHEMA_VERSION else None


def _ms(duration: timedelta) -> int:
    # Rounded up: less than a millisecond must not become "at once".
    return -(-duration // timedelta(milliseconds=1))
