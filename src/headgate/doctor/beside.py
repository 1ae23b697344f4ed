"""Facts about what stands beside the job: agents, the history service, Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.config import Config
from headgate.doctor.facts import Endpoint, Service
from headgate.errors import HeadgateError
from headgate.v1.turn_pb2 import AgentSpec


def look_at_agents(specs: Iterable[AgentSpec]) -> Iterator[Endpoint]:
    """Ask all services of all agents whether they take turns."""
    from headgate.rpc.fitness import examine

    for spec in sorted(specs, key=lambda spec: spec.type):
        for each in examine(spec):
            yield Endpoint(spec.type, each["endpoint"], each["problem"], spec.paused)


def look_at_services(config: Config) -> Iterator[Service]:
    """Ask the history service and Redis, where headgate.toml has a section of theirs."""
    if "history" in config.model_fields_set:
        yield _history(config.history.endpoint)
    if "redis" in config.model_fields_set:
        yield _redis(config)


def _history(endpoint: str) -> Service:
    from headgate.history.client import HistoryClient

    try:
        with HistoryClient(endpoint) as client:
            waits = client.position().problem
    except HeadgateError as error:
        return Service("history", endpoint, str(error))
    return Service("history", endpoint, "", waits=waits)


def _redis(config: Config) -> Service:
    from headgate.redis.connect import open_redis, shown

    address = shown(config.redis.url)
    try:
        client = open_redis(config.redis.url, cluster=config.redis.cluster)
    except HeadgateError as error:
        return Service("redis", address, str(error))
    import redis

    try:
        told = client.config_get("maxmemory-policy")
    except redis.RedisError:
        # Hosted servers keep CONFIG to themselves.
        return Service("redis", address, "")
    finally:
        client.close()
    return Service("redis", address, "", {_text(k): _text(v) for k, v in told.items()})


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
