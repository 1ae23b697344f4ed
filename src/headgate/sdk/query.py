"""QueryService: questions about state, answered beside turns."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

import grpc

from headgate.core.render import is_json
from headgate.sdk.agent import Agent
from headgate.sdk.turn import to_json
from headgate.v1 import query_pb2 as pb
from headgate.v1 import query_pb2_grpc

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["QueryService"].full_name


class UnknownQueryError(Exception):
    """There is no such agent here, or it has no query of that name; the message says which."""


class QueryService(query_pb2_grpc.QueryServiceServicer):
    """Answers by the handlers that `Agent.on_query` has registered."""

    def __init__(self, agents: Mapping[str, Agent[Any]]) -> None:
        self._agents = agents

    async def Query(  # noqa: N802 - gRPC's name
        self, request: pb.QueryRequest, context: Any
    ) -> pb.QueryReply:
        """Answer one question."""
        try:
            return await answer(self._agents.get(request.agent_type), request)
        except UnknownQueryError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except Exception as error:  # the author's code
            await context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
        raise AssertionError


async def answer(agent: Agent[Any] | None, request: pb.QueryRequest) -> pb.QueryReply:
    """Answer a question about an instance of an agent.

    Raises:
        UnknownQueryError: it is not served, or has no such query. Else: what the handler raises.
    """
    if agent is None:
        message = f"no agent {request.agent_type!r} is served here"
        raise UnknownQueryError(message)
    handler = agent.queries.get(request.name)
    if handler is None:
        known = ", ".join(sorted(agent.queries)) or "none"
        message = f"agent {agent.name!r} has no query {request.name!r}; it has {known}"
        raise UnknownQueryError(message)
    data: Any = request.data
    if is_json(request.datacontenttype):
        data = json.loads(data) if data else None
    said = handler(agent.codec.load(request.state).state, data)
    if inspect.isawaitable(said):
        said = await said
    if isinstance(said, bytes):
        return pb.QueryReply(data=said, datacontenttype="application/octet-stream")
    return pb.QueryReply(data=to_json(said).encode())
