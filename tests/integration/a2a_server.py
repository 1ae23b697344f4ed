"""A real A2A agent for tests, built with a2a-sdk. Runs in an environment of its own:
``python a2a_server.py [STATUS]`` prints its port, then one line of JSON for each call that it gets;
it answers ListTasks with the status, if one is named.

What it does is what the message's text says: a word, or a word and what comes after a space.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from typing import Any

import grpc.aio
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import a2a_pb2 as a2a
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from google.protobuf import json_format


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


class Scripted(AgentExecutor):
    """Does as it is told."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    async def execute(self, context: RequestContext, event_queue: Any) -> None:
        message = context.message
        word, _, rest = context.get_user_input().partition(" ")
        say(
            did="execute",
            word=word,
            message_id=message.message_id,
            context_id=context.context_id,
            continues=context.current_task is not None,
            parts=[json_format.MessageToDict(part) for part in message.parts],
        )
        if word == "hello":
            answer = a2a.Message(
                message_id=str(uuid.uuid4()),
                context_id=context.context_id,
                role=a2a.ROLE_AGENT,
                parts=[a2a.Part(text=f"hello {rest}")],
            )
            await event_queue.enqueue_event(answer)
            return
        if word == "raise":
            raise RuntimeError(rest)
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        if context.current_task is None:
            submitted = a2a.TaskStatus(state=a2a.TASK_STATE_SUBMITTED)
            task = a2a.Task(
                id=context.task_id,
                context_id=context.context_id,
                status=submitted,
                history=[] if word == "mute" else [message],
            )
            await event_queue.enqueue_event(task)
        await updater.start_work()
        said = updater.new_agent_message([a2a.Part(text=rest or word)])
        match word:
            case "ask":
                await updater.add_artifact([a2a.Part(text="draft")], artifact_id="draft")
                await updater.requires_input(said)
            case "fail":
                await updater.failed(said)
            case "reject":
                await updater.reject(said)
            case "cancel":
                await updater.cancel(said)
            case "login":
                await updater.requires_auth(said)
            case "wait" | "hold" | "mute":
                await self.released.wait()
                await updater.complete(said)
            case "release":
                self.released.set()
                await updater.complete(said)
            case _:
                await updater.add_artifact(
                    [a2a.Part(text=word), a2a.Part(data=json_format.ParseDict({"n": 1}, _value()))],
                    artifact_id="result",
                    name="result",
                )
                await updater.complete(said)

    async def cancel(self, context: RequestContext, event_queue: Any) -> None:
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.cancel()


def _value() -> Any:
    from google.protobuf.struct_pb2 import Value

    return Value()


class Counting(GrpcHandler):
    """Tells of the calls that an executor does not see, and takes no message for a task that
    is not to be continued. ``refuses_lists``: the status of every ListTasks."""

    refuses_lists: grpc.StatusCode | None = None

    async def SendMessage(self, request: Any, context: Any) -> Any:  # noqa: N802
        message = request.message
        if message.task_id and message.parts[0].text.startswith(("hold", "new")):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the task takes no message")
        return await super().SendMessage(request, context)

    async def ListTasks(self, request: Any, context: Any) -> Any:  # noqa: N802
        say(did="ListTasks", context_id=request.context_id)
        if self.refuses_lists is not None:
            await context.abort(self.refuses_lists, "no lists of tasks here")
        return await super().ListTasks(request, context)


async def main() -> None:
    interface = a2a.AgentInterface(url="localhost", protocol_binding="GRPC", protocol_version="1.0")
    card = a2a.AgentCard(
        name="scripted",
        description="does as it is told",
        version="1",
        supported_interfaces=[interface],
        capabilities=a2a.AgentCapabilities(push_notifications=False),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[a2a.AgentSkill(id="s", name="s", description="s", tags=["s"])],
    )
    handler = DefaultRequestHandler(
        agent_executor=Scripted(), task_store=InMemoryTaskStore(), agent_card=card
    )
    server = grpc.aio.server()
    counting = Counting(handler)
    if len(sys.argv) > 1:
        counting.refuses_lists = grpc.StatusCode[sys.argv[1]]
    add_A2AServiceServicer_to_server(counting, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    say(did="serve", port=port)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
