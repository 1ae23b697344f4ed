"""Activities that ask agents, send them events, and run Headgate's workflows.

Each is idempotent: what it asks is named after its workflow, run and activity, so that an attempt
after a crash gets the reply to what the one before it asked. While it waits it heartbeats.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import grpc.aio
from temporalio import activity
from temporalio.exceptions import ApplicationError

from headgate.core.statuses import ENDED
from headgate.temporal.asked import Answer, Ask, Run, Tell
from headgate.v1 import door_pb2 as pb
from headgate.v1 import door_pb2_grpc

WAIT_MS = 2_000
"""Of one call to the front door, between two heartbeats."""

AGAIN_SECONDS = 1.0
"""After a door that is not there: it, or the next one, is started again within seconds."""

_CALLERS_FAULT = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


class Headgate:
    """The activities, over one connection to a front door.

    ``all`` is what a worker is given. `headgate.temporal.ask` and the others call them by name.
    """

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        """Name the door; it is connected to by the first activity, in the worker's loop."""
        self._target, self._credentials = target, credentials
        self._stub: Any = None

    @property
    def all(self) -> list[Callable[..., Any]]:
        """All activities."""
        return [self.ask_agent, self.send_event, self.tell_agent, self.run_workflow]

    @activity.defn(name="headgate.ask_agent")
    async def ask_agent(self, given: Ask) -> Answer:
        """Ask, and return the reply. A refusal, and what was given up, is no matter of another
        attempt: ApplicationError of type Refused or GivenUp.
        """
        try:
            reply = await self._asked(given, WAIT_MS)
            while reply.status == pb.AskReply.PENDING:
                activity.heartbeat()
                reply = await self._reply_to(given)
        except asyncio.CancelledError:
            if given.cancel_signal and _is_cancelled():
                await self._tell(given.address, given.cancel_signal, None)
            raise
        return _answer(given.address, reply)

    @activity.defn(name="headgate.send_event")
    async def send_event(self, given: Ask) -> str:
        """Hand an event over, and return its id once Kafka has it. Nobody waits for its turn."""
        reply = await self._asked(given, 0)
        return str(reply.request_id)

    @activity.defn(name="headgate.tell_agent")
    async def tell_agent(self, given: Tell) -> None:
        """Send a signal."""
        await self._tell(given.address, given.name, given.data)

    @activity.defn(name="headgate.run_workflow")
    async def run_workflow(self, given: Run) -> Any:
        """Start a workflow of Headgate's, wait for its end, return its result; cancelled, it is.

        One that fails, or was cancelled, is ApplicationError of that type.
        """
        place = _place(given.address)
        data = json.dumps(given.data).encode()
        started = pb.StartWorkflowRequest(**place, data=data, wait_ms=WAIT_MS)
        waited = pb.GetWorkflowRequest(**place, wait_ms=WAIT_MS)
        try:
            state = await self._insist(lambda stub: stub.StartWorkflow(started))
            while state.status not in ENDED:
                activity.heartbeat(state.status)
                state = await self._insist(lambda stub: stub.GetWorkflow(waited))
        except asyncio.CancelledError:
            if _is_cancelled():
                await self._tell(given.address, "headgate.cancel", None)
            raise
        if state.status != "completed":
            message = f"{given.address} is {state.status}: {state.message}"
            raise _final(message, state.status.capitalize())
        return json.loads(state.result) if state.result else None

    async def _asked(self, given: Ask, wait_ms: int) -> pb.AskReply:
        place = _place(given.address)
        request = pb.AskRequest(
            agent_type=place["agent_type"],
            key=place["key"],
            type=given.type,
            data=json.dumps(given.data).encode(),
            extensions=given.extensions,
            request_id=_name(),
            wait_ms=wait_ms,
        )
        reply: pb.AskReply = await self._insist(lambda stub: stub.Ask(request))
        return reply

    async def _reply_to(self, given: Ask) -> pb.AskReply:
        request = pb.GetReplyRequest(**_place(given.address), request_id=_name(), wait_ms=WAIT_MS)
        reply: pb.AskReply = await self._insist(lambda stub: stub.GetReply(request))
        return reply

    async def _tell(self, address: str, name: str, data: Any) -> None:
        request = pb.TellRequest(
            **_place(address), name=name, data=json.dumps(data).encode(), signal_id=_name()
        )
        await self._insist(lambda stub: stub.Tell(request))

    async def _insist(self, call: Callable[[Any], Any]) -> Any:
        """Call the door until it is there: the activity's own time-outs say for how long."""
        while True:
            try:
                return await call(self._door())
            except grpc.aio.AioRpcError as error:
                if error.code() in _CALLERS_FAULT:
                    kind = error.code().name.title().replace("_", "")
                    raise _final(error.details() or kind, kind) from error
                activity.heartbeat(f"{self._target}: {error.code().name}")
            await asyncio.sleep(AGAIN_SECONDS)

    def _door(self) -> Any:
        if self._stub is None:
            if self._credentials is None:
                channel = grpc.aio.insecure_channel(self._target)
            else:
                channel = grpc.aio.secure_channel(self._target, self._credentials)
            self._stub = door_pb2_grpc.FrontDoorStub(channel)
        return self._stub


def _final(message: str, kind: str) -> ApplicationError:
    """Return an error that another attempt cannot cure."""
    return ApplicationError(message, type=kind, non_retryable=True)


def _is_cancelled() -> bool:
    """Tell whether the workflow wants it to end. A worker that shuts down does not: its activity is
    tried again elsewhere.
    """
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested


def _name() -> str:
    """Name what the activity asks: the same for each of its attempts, another for all others."""
    info = activity.info()
    return f"temporal/{info.workflow_namespace}/{info.workflow_run_id}/{info.activity_id}"


def _place(address: str) -> dict[str, str]:
    agent_type, slash, key = address.partition("/")
    if not (agent_type and slash and key):
        message = f"{address!r} is no address: agent type and key, such as order/17"
        raise _final(message, "InvalidArgument")
    return {"agent_type": agent_type, "key": key}


def _answer(address: str, reply: pb.AskReply) -> Answer:
    match reply.status:
        case pb.AskReply.REFUSED:
            message = f"{address}: {reply.message}"
            raise _final(message, "Refused")
        case pb.AskReply.GIVEN_UP:
            message = f"{address}: {reply.reason}: {reply.message}"
            raise _final(message, "GivenUp")
    result = json.loads(reply.result) if reply.result else None
    return Answer(result, [json.loads(each) for each in reply.outputs], reply.turn)
