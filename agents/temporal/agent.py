"""Temporal workflows as a Headgate agent: each instance is one of them, whose id is its key.

Started, signalled, updated, queried and cancelled by events; what it comes to is an event too. No
turn waits for it: a durable timer looks, so that a workflow may take months.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    RequestCancelWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
)
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from headgate.sdk import Agent, Event, Refusal, RetryableError, Turn, aserve
from headgate.sdk.calls import NO_REPLY, reply

FIRST_LOOK = timedelta(seconds=1)
LAST_LOOK = timedelta(seconds=30)
"""Between two looks at a workflow that runs, doubling: what it comes to is half a minute late at
worst, and a workflow of months costs two turns a minute at most."""

LOOK = "look"


@dataclass
class Execution:
    """What is kept of a workflow: its run, how it is, who waits for its result."""

    run_id: str = ""
    status: str = ""
    result: Any = None
    error: str = ""
    reply_to: str = ""
    call_id: str = ""
    pause_ms: int = 0


def make_agent(client: Client) -> Agent[Execution]:
    """Make the agent; all of its calls go to one namespace."""
    agent = Agent("temporal", Execution, summary="Starts, signals and watches Temporal workflows")

    @agent.on("temporal.start")
    async def start(turn: Turn[Execution], event: Event) -> Any:
        """Data: `workflow`, `task_queue`, perhaps `args`."""
        state, given = turn.state, event.data
        if not isinstance(given, dict) or not (given.get("workflow") and given.get("task_queue")):
            return Refusal("temporal.start needs `workflow` and `task_queue`")
        if state.status:
            # It was started by an event before this one: an id is one workflow.
            return _answer(state) if state.status != "running" else _later(turn, event)
        try:
            # A second attempt finds what the first has started, were it over by now.
            handle: WorkflowHandle[Any, Any] = await client.start_workflow(
                given["workflow"],
                args=given.get("args", []),
                id=turn.key,
                task_queue=given["task_queue"],
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
            state.run_id = handle.first_execution_run_id or handle.result_run_id or ""
        except WorkflowAlreadyStartedError as error:
            state.run_id = error.run_id or ""
        except RPCError as error:
            raise _retryable(error) from error
        state.status = "running"
        _look_later(turn)
        return _later(turn, event)

    @agent.on_timer(LOOK)
    async def look(turn: Turn[Execution], event: Event) -> None:
        """See whether it is over."""
        state = turn.state
        if state.status != "running":
            return
        handle = client.get_workflow_handle(turn.key)
        try:
            found = await handle.describe()
            if found.status in {None, WorkflowExecutionStatus.RUNNING}:
                _look_later(turn)
                return
            state.result = await handle.result()
            state.status = "completed"
        except WorkflowFailureError as error:
            state.status = found.status.name.lower() if found.status else "failed"
            state.error = str(error.cause)
        except RPCError as error:
            raise _retryable(error) from error
        turn.emit("temporal.ended", {"status": state.status, **_plain(state)})
        if state.reply_to:
            reply(turn, state.reply_to, state.call_id, _answer(state))

    @agent.on("temporal.signal")
    async def signal(turn: Turn[Execution], event: Event) -> Any:
        """Data: `name`, perhaps `args`."""
        request = SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=turn.key),
            signal_name=event.data["name"],
            input=Payloads(payloads=await client.data_converter.encode(event.data.get("args", []))),
            # Temporal knows a repeat by it.
            request_id=turn.step_key(event, "signal"),
        )
        return await _done(client.workflow_service.signal_workflow_execution(request))

    @agent.on("temporal.cancel")
    async def cancel(turn: Turn[Execution], event: Event) -> Any:
        request = RequestCancelWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=turn.key),
            request_id=turn.step_key(event, "cancel"),
        )
        return await _done(client.workflow_service.request_cancel_workflow_execution(request))

    @agent.on("temporal.update")
    async def update(turn: Turn[Execution], event: Event) -> Any:
        """Data: `name`, perhaps `args`; answers with what the update does."""
        handle = client.get_workflow_handle(turn.key)
        name, args = event.data["name"], event.data.get("args", [])
        key = turn.step_key(event, "update")
        return await _done(handle.execute_update(name, args=args, id=key))

    @agent.on("temporal.query")
    async def query(turn: Turn[Execution], event: Event) -> Any:
        """Data: `name`, perhaps `args`; answers with what the query does."""
        handle = client.get_workflow_handle(turn.key)
        return await _done(handle.query(event.data["name"], args=event.data.get("args", [])))

    return agent


def _look_later(turn: Turn[Execution]) -> None:
    state = turn.state
    longest = LAST_LOOK // timedelta(milliseconds=1)
    state.pause_ms = min(2 * state.pause_ms, longest) or FIRST_LOOK // timedelta(milliseconds=1)
    turn.set_timer(LOOK, timedelta(milliseconds=state.pause_ms))


def _later(turn: Turn[Execution], event: Event) -> Any:
    """Note who waits, and answer once it is over. A front door is told that it runs."""
    caller = event.extensions.get("replyto", "")
    if caller and not caller.startswith("headgate.door/"):
        turn.state.reply_to, turn.state.call_id = caller, event.extensions["callid"]
        return NO_REPLY
    return {"run_id": turn.state.run_id, "status": "running"}


def _answer(state: Execution) -> Any:
    return state.result if state.status == "completed" else Refusal(state.error or state.status)


def _plain(state: Execution) -> dict[str, Any]:
    if state.status == "completed":
        return {"result": state.result}
    return {"error": state.error}


async def _done(call: Any) -> Any:
    """Await a call; what Temporal refuses is refused, what is not there is tried again."""
    try:
        found = await call
    except (WorkflowUpdateFailedError, WorkflowQueryFailedError) as error:
        return Refusal(str(error.__cause__ or error))
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            return Refusal(error.message)
        raise _retryable(error) from error
    return json.loads(json.dumps(found, default=lambda _: None))


def _retryable(error: RPCError) -> RetryableError:
    return RetryableError(f"Temporal: {error.status.name}: {error.message}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7075, help="0 picks a free one")
    parser.add_argument("--temporal", default="localhost:7233", help="HOST:PORT of its frontend")
    parser.add_argument("--namespace", default="default")
    args = parser.parse_args()
    # Lazily, so that the service is up, and its turns wait, while Temporal is away.
    client = await Client.connect(args.temporal, namespace=args.namespace, lazy=True)
    await aserve(make_agent(client), host=args.host, port=args.port)


if __name__ == "__main__":
    asyncio.run(main())
