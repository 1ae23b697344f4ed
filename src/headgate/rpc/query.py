"""Asking the service of an agent about an instance: one call, from outside of the job."""

from __future__ import annotations

from typing import Any

import grpc

from headgate.core.canary import is_canary
from headgate.core.identity import address_of
from headgate.errors import HeadgateError
from headgate.rpc.channel import Token, open_blocking_channel
from headgate.v1 import query_pb2_grpc
from headgate.v1.query_pb2 import QueryReply, QueryRequest
from headgate.v1.turn_pb2 import AgentSpec

ASK_SECONDS = 30.0
"""A handler may be async, and ask others; longer than this nobody waits at a prompt."""

_ELSEWHERE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED}


class QueryError(HeadgateError):
    """A query was not answered: no service is reachable, it has no queries, not this one, or its
    handler failed; the message says which.
    """


def ask_query(spec: AgentSpec, request: QueryRequest) -> QueryReply:
    """Ask the services that the instance's turns go to, one after the other until one is there.

    Raises:
        QueryError, CredentialError: there is no answer.
    """
    endpoints = list(spec.endpoints)
    address = address_of(request.agent_type, request.key)
    if spec.HasField("canary") and is_canary(spec, address):
        endpoints = list(spec.canary.endpoints) or endpoints
    why = "it has no endpoint"
    for endpoint in endpoints:
        metadata = Token(spec.connection.token).metadata()
        with open_blocking_channel(endpoint, spec.connection) as channel:
            stub: Any = query_pb2_grpc.QueryServiceStub(channel)
            try:
                reply: QueryReply = stub.Query(request, timeout=ASK_SECONDS, metadata=metadata)
            except grpc.RpcError as error:
                why = f"{endpoint}: {_why(error)}"
                if error.code() not in _ELSEWHERE:
                    break
            else:
                return reply
    message = f"{address} was not asked {request.name!r}: {why}"
    raise QueryError(message)


def _why(error: Any) -> str:
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "this service answers no queries"
    return str(error.details() or error.code().name)
