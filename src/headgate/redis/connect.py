"""Clients of Redis with our settings, and errors that name the address without its password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from headgate.redis.errors import RedisUnreachableError

CONNECT_SECONDS = 5.0
# A script of ours runs for milliseconds; a server that does not answer for so long is cut off, and
# whoever waits for it must be told instead of hanging.
ANSWER_SECONDS = 10.0

CURES = {
    "MOVED": "It is a node of a Redis Cluster: set redis.cluster = true in headgate.toml.",
    "luster": "If it is none, leave redis.cluster out of headgate.toml.",
    "NOAUTH": "It asks who you are: write redis://USER:PASSWORD@HOST:PORT/NUMBER.",
    "uthentication required": "It asks who you are: write redis://USER:PASSWORD@HOST:PORT/NUMBER.",
    "username-password": "Correct user and password in redis.url (or --url).",
    "maxmemory": "It is full: raise its maxmemory, or lower redis.keep and redis.keep_entries.",
    "read only replica": "It is a replica: name the primary.",
    "no permissions": "Its user may not do that: give it the rights (ACL SETUSER).",
    "oading": "It reads its data, and will serve soon.",
}
"""What to do about what Redis says, by a part of it."""


def open_redis(url: str, *, cluster: bool = False) -> Any:
    """Return a blocking client (redis.Redis, or redis.RedisCluster) that hands out bytes; raises
    RedisUnreachableError.
    """
    import redis

    settings: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "protocol": 3,
    }
    with reaching(url):
        if cluster:
            return redis.RedisCluster.from_url(url, **settings)
        client = redis.Redis.from_url(url, **settings)
        client.ping()
        return client


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn what redis-py raises into RedisUnreachableError."""
    import redis

    try:
        yield
    except (redis.RedisError, redis.exceptions.RedisClusterException, OSError, ValueError) as error:
        first = str(error).strip().splitlines()
        why = first[0].rstrip(". ") if first else type(error).__name__
        found = (cure for sign, cure in CURES.items() if sign in why)
        cure = next(found, "Start it, or correct redis.url in headgate.toml (or --url).")
        message = f"Redis at {shown(url)} cannot be used: {why}. {cure}"
        raise RedisUnreachableError(message) from error


def shown(url: str) -> str:
    """Return a URL without its password.

    >>> shown("redis://:secret@localhost:6379/0")
    'redis://localhost:6379/0'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL that was given"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
