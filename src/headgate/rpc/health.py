"""What an agent service says about itself, asked once: for people, not for the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from headgate.rpc.a2a.client import SERVICE as A2A_SERVICE
from headgate.rpc.a2a.client import VERSION
from headgate.rpc.channel import CredentialError, Metadata, Token, open_blocking_channel
from headgate.rpc.wire import SERVICE
from headgate.v1 import a2a_pb2, agent_pb2, agent_pb2_grpc
from headgate.v1.connection_pb2 import WIRE_A2A, Connection

# A service that serves answers this within milliseconds; a person waits for the slowest.
ASK_SECONDS = 1.0
ASKED_AT_ONCE = 32
PLAINTEXT = Connection()

NOBODYS_TASK = "headgate-is-this-a2a"

_NO_A2A = frozenset(
    {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
    }
)
"""What no A2A agent that would take our turns answers to a question for a task. All else is one:
the agent says, in one way or another, that it has no such task.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An agent service's answer. health: serving, not_serving, unreachable or no_health_service.

    An A2A agent hosts one agent without a name, and need not have a health service.
    """

    endpoint: str
    health: str
    problem: str = ""
    revisions: tuple[tuple[str, str], ...] = ()
    sdk: str = ""
    is_a2a: bool = False
    contract_version: int = 0

    def revision_of(self, agent_type: str) -> str | None:
        """Return the revision that serves a type, None if the service does not host it."""
        return dict(self.revisions).get(agent_type)


def ask(
    endpoint: str,
    timeout_seconds: float = ASK_SECONDS,
    connection: Connection = PLAINTEXT,
) -> Answer:
    """Ask one service for its health and what it hosts; an error is an answer too."""
    is_a2a = connection.wire == WIRE_A2A
    try:
        metadata = Token(connection.token).metadata()
        channel = open_blocking_channel(endpoint, connection)
    except CredentialError as error:
        return Answer(endpoint, "unreachable", str(error))
    with channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        agents: Any = agent_pb2_grpc.AgentServiceStub(channel)
        try:
            # Connecting counts towards the same time.
            checked = health.Check(
                health_pb2.HealthCheckRequest(service=A2A_SERVICE if is_a2a else SERVICE),
                timeout=timeout_seconds,
                wait_for_ready=True,
                metadata=metadata,
            )
            state = health_pb2.HealthCheckResponse.ServingStatus.Name(checked.status).lower()
        except grpc.RpcError as error:
            if error.code() not in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND}:
                return Answer(endpoint, "unreachable", _why(error))
            state = "no_health_service"
        if is_a2a:
            return Answer(
                endpoint, state, _why_no_a2a(channel, timeout_seconds, metadata), is_a2a=True
            )
        try:
            hosted = agents.Describe(
                agent_pb2.DescribeRequest(), timeout=timeout_seconds, metadata=metadata
            )
        except grpc.RpcError as error:
            return Answer(endpoint, state, f"Describe: {_why(error)}")
        revisions = tuple((agent.type, agent.revision) for agent in hosted.agents)
        version = hosted.contract_version
        return Answer(endpoint, state, "", revisions, hosted.sdk, contract_version=version)


def _why_no_a2a(channel: grpc.Channel, timeout_seconds: float, metadata: Metadata) -> str:
    """Say why a service that was reached is no A2A agent, or does not let us in; "" if it is one.

    It is asked for a task that nobody has. That changes nothing there, and what it answers, be it
    an error, only an A2A agent can.
    """
    get_task = channel.unary_unary(
        f"/{A2A_SERVICE}/GetTask",
        request_serializer=a2a_pb2.GetTaskRequest.SerializeToString,
        response_deserializer=a2a_pb2.Task.FromString,
    )
    try:
        get_task(
            a2a_pb2.GetTaskRequest(id=NOBODYS_TASK),
            timeout=timeout_seconds,
            metadata=(VERSION, *metadata),
        )
    except grpc.RpcError as error:
        if error.code() in _NO_A2A:
            return f"GetTask: {_why(error)}"
    return ""


def ask_all(
    endpoints: Sequence[str], connections: Mapping[str, Connection] = MappingProxyType({})
) -> dict[str, Answer]:
    """Ask several services at the same time; ``connections`` says how, where not in plaintext."""
    wanted = list(dict.fromkeys(endpoints))
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        answers = pool.map(
            lambda each: ask(each, connection=connections.get(each, PLAINTEXT)), wanted
        )
        return {answer.endpoint: answer for answer in answers}


def _why(error: Any) -> str:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"no answer within {ASK_SECONDS:g} s"
    return f"{error.code().name}: {error.details()}"
