"""The front door over gRPC: `headgate.v1.FrontDoor`; `door.proto` is its specification."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from headgate.core.identity import address_of
from headgate.door.errors import (
    BadRequestError,
    NoAnswerError,
    NotEntitledError,
    UnauthenticatedError,
    UnknownAgentError,
)
from headgate.door.waiting import Waiting
from headgate.errors import HeadgateError
from headgate.rpc.query import QueryError
from headgate.v1 import door_pb2 as pb
from headgate.v1 import door_pb2_grpc
from headgate.v1.agent_pb2 import Event
from headgate.v1.query_pb2 import QueryReply, QueryRequest
from headgate.v1.turn_pb2 import Reply, Signal

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["FrontDoor"].full_name

_CODES = (
    (BadRequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
    (NotEntitledError, grpc.StatusCode.PERMISSION_DENIED),
    (UnknownAgentError, grpc.StatusCode.NOT_FOUND),
    (NoAnswerError, grpc.StatusCode.UNAVAILABLE),
    (QueryError, grpc.StatusCode.FAILED_PRECONDITION),
    (HeadgateError, grpc.StatusCode.UNAVAILABLE),
)


class FrontDoor(door_pb2_grpc.FrontDoorServicer):
    """Serves `FrontDoor` from a desk."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting

    async def Ask(self, request: pb.AskRequest, context: Any) -> pb.AskReply:
        """Hand an event to an instance and wait for what comes of it."""
        event = Event(
            id=request.request_id or str(uuid.uuid4()),
            type=request.type,
            data=request.data,
            datacontenttype=request.datacontenttype,
            extensions=request.extensions,
            traceparent=request.traceparent,
            time_us=request.time_us,
        )
        async with _refusing(context):
            seconds = request.wait_ms / 1000
            address = await self._admitted(request, context)
            reply = await self._waiting.ask(address, event, seconds)
            return ask_reply(event.id, reply)

    async def GetReply(self, request: pb.GetReplyRequest, context: Any) -> pb.AskReply:
        """Wait for the reply to what was asked before."""
        async with _refusing(context):
            address, seconds = await self._admitted(request, context), request.wait_ms / 1000
            if not request.request_id:
                message = "which request? Give its request_id"
                raise BadRequestError(message)
            reply = await self._waiting.reply(address, request.request_id, seconds)
            return ask_reply(request.request_id, reply)

    async def Tell(self, request: pb.TellRequest, context: Any) -> pb.TellReply:
        """Tell an instance something by name."""
        given = Signal(
            name=request.name,
            signal_id=request.signal_id or str(uuid.uuid4()),
            data=request.data,
            datacontenttype=request.datacontenttype,
        )
        async with _refusing(context):
            await self._waiting.signal(await self._admitted(request, context), given)
            return pb.TellReply(signal_id=given.signal_id)

    async def GetState(self, request: pb.GetStateRequest, context: Any) -> pb.InstanceState:
        """Return an instance's state."""
        async with _refusing(context):
            address = await self._admitted(request, context)
            found = await self._waiting.look(address, at_least=request.at_least)
            control = found.control
            state = pb.InstanceState(
                turn=control.turn,
                at_us=control.at_us,
                values=found.state.values,
                truncated=found.truncated,
                waiting=control.mailbox_tail - control.mailbox_head,
                parked=control.parked,
            )
            for name, window in found.state.logs.items():
                state.lists[name].length = window.length
                state.lists[name].newest.extend(window.items)
            return state

    async def Query(self, request: pb.QueryInstanceRequest, context: Any) -> QueryReply:
        """Ask an agent about an instance."""
        async with _refusing(context):
            question = QueryRequest(
                name=request.name, data=request.data, datacontenttype=request.datacontenttype
            )
            reply: QueryReply = await self._waiting.query(
                await self._admitted(request, context), question, at_least=request.at_least
            )
            return reply

    async def StartWorkflow(
        self, request: pb.StartWorkflowRequest, context: Any
    ) -> pb.WorkflowState:
        """Start a workflow, and wait for its end if asked to."""
        async with _refusing(context):
            address = await self._admitted(request, context)
            await self._waiting.start(address, request.data)
            return workflow_state(await self._waiting.workflow(address, request.wait_ms / 1000))

    async def GetWorkflow(self, request: pb.GetWorkflowRequest, context: Any) -> pb.WorkflowState:
        """Return how far a workflow is."""
        async with _refusing(context):
            address = await self._admitted(request, context)
            seen = await self._waiting.workflow(address, request.wait_ms / 1000)
            return workflow_state(seen)

    async def WatchWorkflow(
        self, request: pb.GetWorkflowRequest, context: Any
    ) -> AsyncIterator[pb.WorkflowState]:
        """Tell how far a workflow is, until its end."""
        async with _refusing(context):
            address = await self._admitted(request, context)
            async for seen in self._waiting.progress(address):
                yield workflow_state(seen)

    async def _admitted(self, request: Any, context: Any) -> str:
        """Return the address that a caller asks about, if it may. Each method begins with it."""
        metadata = dict(context.invocation_metadata() or ())
        given = metadata.get("authorization", "")
        authorization = given if isinstance(given, str) else ""
        address = address_of(request.agent_type, request.key)
        return await self._waiting.admit(authorization, address)


@asynccontextmanager
async def _refusing(context: Any) -> AsyncIterator[None]:
    """Turn an expected error into a status; whatever else is raised is a bug, and goes on."""
    try:
        yield
    except HeadgateError as error:
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        await context.abort(code, str(error))


def ask_reply(request_id: str, reply: Reply | None) -> pb.AskReply:
    """Return a reply as callers get it."""
    made = pb.AskReply(request_id=request_id)
    if reply is None:
        made.status = pb.AskReply.PENDING
        return made
    made.turn, made.at_us = reply.turn, reply.at_us
    if reply.given_up:
        made.status = pb.AskReply.GIVEN_UP
        made.reason, made.message = reply.given_up, reply.message
        return made
    if reply.answer.refused:
        made.status, made.message = pb.AskReply.REFUSED, reply.answer.refused
    else:
        made.status = pb.AskReply.DONE
        made.result = reply.answer.data
        made.datacontenttype = reply.answer.datacontenttype
    made.outputs.extend(reply.outputs)
    made.truncated = reply.truncated
    return made


def workflow_state(seen: dict[str, Any]) -> pb.WorkflowState:
    """Return a workflow's view as callers get it."""
    failure = seen.get("failure") or {}
    return pb.WorkflowState(
        status=seen["status"],
        turn=seen["turn"],
        result=json.dumps(seen["result"]).encode() if "result" in seen else b"",
        message=seen.get("error") or failure.get("message") or seen.get("problem") or "",
        waits_for=seen.get("waits_for", []),
        taken_steps=seen.get("taken_steps") or 0,
        run=seen.get("run") or 0,
    )
