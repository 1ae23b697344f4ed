"""A call handed to another agent type's service, for a budget of its own is spent."""

from __future__ import annotations

from headgate.core.service import service_bytes
from headgate.v1.turn_pb2 import AgentSpec, Call


def hand_over(call: Call, spec: AgentSpec) -> None:
    """Let the services of ``spec`` take a call. Whose turn it is, its state and what becomes of
    failures stay as they are.
    """
    request = call.request
    request.stand_in = spec.type
    request.revision_pin = spec.revision
    request.deadline_ms = spec.policy.deadline_ms
    call.endpoint = spec.endpoints[0] if spec.endpoints else ""
    call.service = service_bytes(spec, spec.endpoints)
