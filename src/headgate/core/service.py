"""What Invoke must know to reach an agent type, as calls carry it."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.v1.connection_pb2 import Service
from headgate.v1.turn_pb2 import AgentSpec


def service_bytes(spec: AgentSpec, endpoints: Sequence[str]) -> bytes:
    """Return the serialized Service of a spec at these endpoints, or b"" if the first endpoint says
    it all: one endpoint, plaintext, our own wire, no limits. Equal specs give equal bytes.
    """
    has_connection, has_limits = spec.HasField("connection"), spec.HasField("limits")
    if len(endpoints) < 2 and not has_connection and not has_limits:
        return b""
    service = Service(endpoints=endpoints)
    if has_connection:
        service.connection.CopyFrom(spec.connection)
    if has_limits:
        service.limits.CopyFrom(spec.limits)
    return service.SerializeToString(deterministic=True)


def endpoints_of(spec: AgentSpec) -> list[str]:
    """Return all endpoints of an agent type, those of its canary too, each once."""
    return list(dict.fromkeys([*spec.endpoints, *spec.canary.endpoints]))
