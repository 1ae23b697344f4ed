"""A turn as A2A calls: send the message, or find the task of an earlier try; then ask for the task
until it ends or waits. What takes longer than half the deadline is left to a durable timer.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

from headgate.core.identity import address_of
from headgate.rpc.a2a.long import PATIENCE, look_of, settle
from headgate.rpc.a2a.memory import Memory
from headgate.rpc.a2a.parts import CAUSE, cause_of, message_of
from headgate.rpc.a2a.replies import (
    UNFINISHED,
    reply_of_lost_task,
    reply_of_message,
    reply_of_nothing,
    reply_of_running,
    reply_of_task,
)
from headgate.rpc.channel import Token
from headgate.rpc.pending import Pending
from headgate.rpc.turns import parsed
from headgate.v1 import a2a_pb2 as a2a
from headgate.v1.agent_pb2 import TurnReply, TurnRequest

SERVICE = "lf.a2a.v1.A2AService"
VERSION = ("a2a-version", "1.0")

POLL_FIRST_SECONDS = 0.02
POLL_AT_MOST_SECONDS = 1.0
"""Pauses between looks at a task, each half as long again as the one before: an agent that takes
a second is noticed within a third of one, one that takes minutes is asked once a second."""

TASKS_LOOKED_AT = 50
"""Newest tasks of an instance among which that of an earlier try is looked for. One turn runs at
a time, so it is the first or second."""

_ADOPTED = UNFINISHED | {a2a.TASK_STATE_COMPLETED, a2a.TASK_STATE_INPUT_REQUIRED}

_CANNOT_LIST = frozenset({grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND})
"""Answers of agents that serve no lists of tasks, or know no such context. If they failed the
attempt, an agent without lists would get every event once, and never a second time."""

_CANNOT_CONTINUE = frozenset(
    {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)


class A2aClient:
    """Calls one A2A service."""

    def __init__(self, channel: grpc.aio.Channel, token: Token) -> None:
        """Name the methods by path: see ``a2a.proto``."""
        self._token = token
        self._send = _method(
            channel, "SendMessage", a2a.SendMessageRequest, a2a.SendMessageResponse
        )
        self._get = _method(channel, "GetTask", a2a.GetTaskRequest, a2a.Task)
        self._list = _method(channel, "ListTasks", a2a.ListTasksRequest, a2a.ListTasksResponse)

    async def ask(self, pending: Pending) -> TurnReply:
        """Run one turn; cancelled by the caller where its deadline has passed.

        Raises:
            grpc.aio.AioRpcError: the service answered a call with a status.
            CredentialError: the token cannot be read.
        """
        request = pending.request
        reply = await self._ask(pending)
        return settle(request, reply)

    async def _ask(self, pending: Pending) -> TurnReply:
        request = pending.request
        # A look is one question; the next comes by its timer.
        looked_at = look_of(request)
        patience = 0 if looked_at else pending.deadline_seconds * PATIENCE
        until = asyncio.get_running_loop().time() + patience
        async with asyncio.timeout(pending.deadline_seconds + 1):
            # Only a second try can have a first one's task. A crash of the caller's leaves no
            # trace in the request; its repeat is told by message_id alone.
            is_repeat = request.attempt > 1 or pending.tries > 1
            if looked_at:
                found = await self._look(request, looked_at)
                if isinstance(found, TurnReply):
                    return found
                task: a2a.Task | None = found
            else:
                task = await self._find(request) if is_repeat else None
            if task is None:
                sent = await self._begin(request)
                if isinstance(sent, TurnReply):
                    return sent
                task = sent
            # A task that takes longer than the deadline says nothing against its service.
            pending.is_heard = True
            task = await self._end_of(request, task, until)
            if task.status.state in UNFINISHED:
                return reply_of_running(request, task)
            return reply_of_task(request, task)

    async def _begin(self, request: TurnRequest) -> a2a.Task | TurnReply:
        known = Memory.of(request)
        try:
            answer = await self._say(request, known.continues)
        except grpc.aio.AioRpcError as error:
            if not known.continues or error.code() not in _CANNOT_CONTINUE:
                raise
            if known.continues not in known.running:
                return reply_of_lost_task(request, known.continues, _why(error))
            # It takes no message while it runs, or has ended since the last look at it. That is
            # the next look's to tell; the event need not wait for it.
            answer = await self._say(request, "")
        if answer.HasField("task"):
            task: a2a.Task = answer.task
            return task
        return reply_of_message(request, answer.message)

    async def _say(self, request: TurnRequest, task_id: str) -> a2a.SendMessageResponse:
        configuration = a2a.SendMessageConfiguration(history_length=0, return_immediately=True)
        message = message_of(request, task_id)
        sent = a2a.SendMessageRequest(message=message, configuration=configuration)
        answer: a2a.SendMessageResponse = await self._call(self._send, sent, request)
        return answer

    async def _find(self, request: TurnRequest) -> a2a.Task | None:
        """Return the task that an earlier try of this turn began or continued, if there is one."""
        wanted = a2a.ListTasksRequest(
            context_id=address_of(request.agent_type, request.key),
            page_size=TASKS_LOOKED_AT,
            history_length=TASKS_LOOKED_AT,
            include_artifacts=True,
        )
        try:
            found = await self._call(self._list, wanted, request)
        except grpc.aio.AioRpcError as error:
            if error.code() in _CANNOT_LIST:
                return None
            raise
        cause, running = cause_of(request), Memory.of(request).running
        for task in found.tasks:
            causes = {_cause(message) for message in task.history} - {""}
            # A turn at a time: what still runs is this one's, unless it says otherwise, or is
            # known as an earlier event's.
            is_new = task.status.state in UNFINISHED and task.id not in running
            is_ours = cause in causes or (not causes and is_new)
            if is_ours and task.status.state in _ADOPTED:
                adopted: a2a.Task = task
                return adopted
        return None

    async def _look(self, request: TurnRequest, task_id: str) -> a2a.Task | TurnReply:
        """Ask for the task that a timer was set for."""
        if task_id not in Memory.of(request).running:
            return reply_of_nothing(request)
        try:
            task: a2a.Task = await self._call(
                self._get, a2a.GetTaskRequest(id=task_id, history_length=0), request
            )
        except grpc.aio.AioRpcError as error:
            if error.code() in _CANNOT_CONTINUE:
                return reply_of_lost_task(request, task_id, _why(error))
            raise
        return task

    async def _end_of(self, request: TurnRequest, task: a2a.Task, until: float) -> a2a.Task:
        """Return the task when it has ended or waits, or as it is by then (the loop's clock)."""
        pause, clock = POLL_FIRST_SECONDS, asyncio.get_running_loop().time
        while task.status.state in UNFINISHED and clock() + pause < until:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, POLL_AT_MOST_SECONDS)
            asked = a2a.GetTaskRequest(id=task.id, history_length=0)
            task = await self._call(self._get, asked, request)
        return task

    async def _call(self, method: Any, sent: Any, request: TurnRequest) -> Any:
        metadata = (VERSION, *_trace(request), *self._token.metadata())
        return parsed(await method(sent, metadata=metadata))


def _trace(request: TurnRequest) -> list[tuple[str, str]]:
    """Return the turn's trace context as gRPC's instrumentations read it."""
    told = {"traceparent": request.traceparent, "tracestate": request.tracestate}
    return [(name, value) for name, value in told.items() if value]


def _why(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name}: {error.details()}"


def _cause(message: a2a.Message) -> str:
    return message.metadata.fields[CAUSE].string_value if CAUSE in message.metadata.fields else ""


def _method(channel: grpc.aio.Channel, name: str, request: Any, response: Any) -> Any:
    return channel.unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
