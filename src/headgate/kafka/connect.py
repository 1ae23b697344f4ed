"""Clients of kafka-python with our settings, and errors that name the address."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headgate.bootstrap import Bootstrap
from headgate.kafka.credentials import python_settings
from headgate.kafka.errors import BrokerRefusesError, BrokerUnreachableError
from headgate.kafka.refusal import explain
from headgate.kafka.sealed import open_records

if TYPE_CHECKING:
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

# A broker in the same network answers within milliseconds, a busy one that has just started within
# seconds. Whoever mistyped the address waits this long for the answer.
BOOTSTRAP_SECONDS = 5.0
# kafka-python doubles its pause between attempts up to 30 s: a broker that is back after a minute
# would be noticed half a minute later.
RECONNECT_AT_MOST_MS = 1_000
# A request that a killed broker has swallowed is made again after this, however long the delivery
# may take in all.
REQUEST_AT_MOST_MS = 10_000
# Of the probe that comes first: a port without a listener refuses at once, a wrong host is silent.
PROBE_SECONDS = 2.0

# Where a client of this process got in, a later failure is an outage, no mistake in headgate.toml:
# to ask why would cost whoever waits for the broker to come back up to four seconds more.
_entered: set[Bootstrap] = set()


def is_reachable(bootstrap: Bootstrap) -> bool:
    """Tell whether any of the addresses accepts a connection.

    Asked before a client is made: a client that cannot reach its broker leaves a thread behind.
    """
    for server in bootstrap.servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS):
                return True
        except (OSError, ValueError):
            continue
    return False


@contextmanager
def admin_client(bootstrap: Bootstrap) -> Iterator[KafkaAdminClient]:
    """Open an admin client; raises BrokerUnreachableError."""
    from kafka import KafkaAdminClient

    with _answering(bootstrap):
        client = KafkaAdminClient(**_common(bootstrap))
    try:
        with _answering(bootstrap):
            yield client
    finally:
        client.close()


def open_consumer(
    bootstrap: Bootstrap, *, shows_sealed: bool = False, **settings: Any
) -> KafkaConsumer:
    """Return a consumer without a group; raises BrokerUnreachableError. Its `poll` opens sealed
    records.

    shows_sealed: what cannot be opened for want of a key is handed out as it is, for people. Else
        `poll` raises MissingKeyError: a program must not take it for nothing.
    """
    from kafka import KafkaConsumer

    with _answering(bootstrap):
        made = KafkaConsumer(
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **{**_common(bootstrap), **settings},
        )
    open_records(made, bootstrap, shows_sealed=shows_sealed)
    return made


def open_producer(
    bootstrap: Bootstrap, *, delivery_seconds: float, **settings: Any
) -> KafkaProducer:
    """Return an idempotent producer that waits for all replicas; raises BrokerUnreachableError.

    delivery_seconds: how long a record is tried before its delivery fails.
    """
    from kafka import KafkaProducer

    delivery_ms = int(delivery_seconds * 1_000)
    with _answering(bootstrap):
        return KafkaProducer(
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=delivery_ms,
            max_block_ms=delivery_ms,
            # One lost request leaves time for others within the delivery.
            request_timeout_ms=min(delivery_ms // 3, REQUEST_AT_MOST_MS),
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **{**_common(bootstrap), **settings},
        )


def _common(bootstrap: Bootstrap) -> dict[str, Any]:
    return {
        **python_settings(bootstrap),
        "client_id": "headgate",
        "bootstrap_timeout_ms": int(BOOTSTRAP_SECONDS * 1_000),
        "reconnect_backoff_max_ms": RECONNECT_AT_MOST_MS,
    }


@contextmanager
def _answering(bootstrap: Bootstrap) -> Iterator[None]:
    from kafka import errors

    silent = (
        errors.KafkaTimeoutError,
        errors.KafkaConnectionError,
        errors.NodeNotReadyError,
    )
    if not is_reachable(bootstrap):
        raise BrokerUnreachableError(_unreachable(bootstrap))
    try:
        yield
    except silent as error:
        why = "" if bootstrap in _entered else explain(bootstrap)
        if why:
            message = f"Kafka at {bootstrap} lets nobody in: {why}."
            raise BrokerRefusesError(message) from error
        raise BrokerUnreachableError(_unreachable(bootstrap)) from error
    else:
        _entered.add(bootstrap)


def _unreachable(bootstrap: Bootstrap) -> str:
    return (
        f"no Kafka broker answers at {bootstrap}. Start one with `headgate dev`, or correct "
        "kafka.bootstrap in headgate.toml (or --bootstrap)."
    )
