"""What an A2A agent answered, as the reply of a turn. Pure: no calls, no clock."""

from __future__ import annotations

import json

from google.protobuf import json_format

from headgate.core.identity import address_of
from headgate.core.outcome import failed_reply
from headgate.rpc.a2a.long import look_again, look_of
from headgate.rpc.a2a.memory import Memory
from headgate.v1 import a2a_pb2 as a2a
from headgate.v1.agent_pb2 import (
    ADVICE_DEAD_LETTER,
    ADVICE_PARK,
    ADVICE_UNSPECIFIED,
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_BAD_REPLY,
    FAILURE_CODE_RPC_ERROR,
    FAILURE_CODE_TERMINAL,
    FAILURE_CODE_TOO_LARGE,
    Completed,
    Output,
    TurnReply,
    TurnRequest,
)

ANSWER_BYTES = 8_000_000
"""Answers that are rendered at all. A larger one fits no record anyway, and rendering 50 MB would
hold up every other call for seconds."""

UNFINISHED = frozenset({a2a.TASK_STATE_SUBMITTED, a2a.TASK_STATE_WORKING})

_FAILURES = {
    # The agent's code failed: another attempt may do better.
    a2a.TASK_STATE_FAILED: (FAILURE_CODE_AGENT_ERROR, ADVICE_UNSPECIFIED),
    # The agent will not do it, or somebody there has stopped it: asking again is no use.
    a2a.TASK_STATE_REJECTED: (FAILURE_CODE_TERMINAL, ADVICE_DEAD_LETTER),
    a2a.TASK_STATE_CANCELED: (FAILURE_CODE_TERMINAL, ADVICE_DEAD_LETTER),
    # Only people can give credentials; then `resume` sends the event again, to the same task.
    a2a.TASK_STATE_AUTH_REQUIRED: (FAILURE_CODE_AGENT_ERROR, ADVICE_PARK),
}


Said = tuple[str, a2a.Message | a2a.Artifact, dict[str, str]]
"""An output to be: its type, what the agent said, extension attributes."""


def reply_of_message(request: TurnRequest, message: a2a.Message) -> TurnReply:
    """Return the reply for an agent that answers at once, without a task."""
    if message.ByteSize() > ANSWER_BYTES:
        return _too_large(request, message.ByteSize())
    if message.context_id not in {"", address_of(request.agent_type, request.key)}:
        return _bad(request, f"message of context {message.context_id!r}")
    known = Memory.of(request)
    # What was asked for is answered; what runs on has its timer.
    after = known if known.continues in known.running else known.without(known.continues)
    return _completed(request, [("a2a.message", message, {})], after)


def reply_of_task(request: TurnRequest, task: a2a.Task) -> TurnReply:
    """Return the reply for a task that has ended, or waits."""
    known, state = Memory.of(request), task.status.state
    if not task.id or task.context_id != address_of(request.agent_type, request.key):
        return _bad(request, f"task {task.id!r} of context {task.context_id!r}")
    if task.ByteSize() > ANSWER_BYTES:
        return _too_large(request, task.ByteSize())
    said = _text(task.status.message)
    if state in _FAILURES:
        code, advice = _FAILURES[state]
        name = a2a.TaskState.Name(state).removeprefix("TASK_STATE_").lower()
        reply = failed_reply(request, code, f"A2A task {task.id} is {name}: {said}")
        reply.failed.advice = advice
        if state != a2a.TASK_STATE_AUTH_REQUIRED:
            _remember(reply, known, known.without(task.id))
        elif not look_of(request):
            _remember(reply, known, known.waiting(task.id, known.sent_of(task.id)))
        return reply
    if state not in {a2a.TASK_STATE_COMPLETED, a2a.TASK_STATE_INPUT_REQUIRED}:
        return _bad(request, f"task {task.id!r} in state {state}")
    waits = state == a2a.TASK_STATE_INPUT_REQUIRED
    attributes = {"a2atask": task.id, "a2astate": "input-required" if waits else "completed"}
    emitted = known.sent_of(task.id)
    outputs: list[Said] = [
        ("a2a.artifact", artifact, attributes)
        for artifact in task.artifacts
        if artifact.artifact_id not in emitted
    ]
    if task.status.HasField("message"):
        kind = "a2a.input_required" if waits else "a2a.message"
        outputs.append((kind, task.status.message, attributes))
    shown = tuple(dict.fromkeys(artifact.artifact_id for artifact in task.artifacts))
    after = known.waiting(task.id, shown) if waits else known.without(task.id)
    return _completed(request, outputs, after)


def reply_of_running(request: TurnRequest, task: a2a.Task) -> TurnReply:
    """Return the reply for a task that goes on beyond this turn: it is asked for again later."""
    known = Memory.of(request)
    if not task.id or task.context_id != address_of(request.agent_type, request.key):
        return _bad(request, f"task {task.id!r} of context {task.context_id!r}")
    # A look changes nothing: which task the next message continues is for events to say.
    reply = _completed(request, [], known if look_of(request) else known.running_on(task.id))
    reply.timers.append(look_again(request, task.id))
    return reply


def reply_of_nothing(request: TurnRequest) -> TurnReply:
    """Return the reply to a look for a task that has ended meanwhile."""
    return _completed(request, [], Memory.of(request))


def reply_of_lost_task(request: TurnRequest, task_id: str, why: str) -> TurnReply:
    """Return the reply where the agent no longer knows a task, or takes no messages for it.

    The next attempt begins another one: a conversation that the agent has forgotten cannot be
    continued, and an instance that only fails helps nobody.
    """
    known = Memory.of(request)
    message = f"A2A task {task_id} cannot be continued: {why}"
    if not look_of(request):
        message += "; the next attempt begins anew"
    reply = failed_reply(request, FAILURE_CODE_RPC_ERROR, message)
    _remember(reply, known, known.without(task_id))
    return reply


def _completed(
    request: TurnRequest,
    outputs: list[Said],
    after: Memory,
) -> TurnReply:
    reply = TurnReply(
        request_id=request.request_id,
        base=request.base,
        taken_event_ids=[event.id for event in request.events],
        completed=Completed(),
        # A2A knows no revisions: who attached the agent as this one is taken at their word.
        revision=request.revision_pin,
    )
    for kind, content, attributes in outputs:
        try:
            plain = json_format.MessageToDict(content)
            data = json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError, json_format.Error) as error:
            return _bad(request, f"answer that is no JSON: {error}")
        reply.outputs.append(
            Output(type=kind, data=data, extensions=attributes, cause=len(request.events) - 1)
        )
    _remember(reply, Memory.of(request), after)
    return reply


def _remember(reply: TurnReply, before: Memory, after: Memory) -> None:
    if before != after:
        reply.mutations.append(after.mutation())


def _bad(request: TurnRequest, what: str) -> TurnReply:
    return failed_reply(request, FAILURE_CODE_BAD_REPLY, f"the A2A agent answered with a {what}")


def _too_large(request: TurnRequest, size: int) -> TurnReply:
    message = f"the A2A agent answered with {size} bytes; at most {ANSWER_BYTES} are taken"
    return failed_reply(request, FAILURE_CODE_TOO_LARGE, message)


def _text(message: a2a.Message) -> str:
    return " ".join(part.text for part in message.parts if part.text) or "it did not say why"
