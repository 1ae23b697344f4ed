"""From TurnRequest to TurnReply: one script, without I/O, that drivers play.

`script` is a generator: it yields each handler that is to be called and is told how that went. The
drivers differ only in how they call: `run_inline` plainly, `run` with awaits and threads.
"""

import asyncio
import logging
import traceback
from collections.abc import Generator
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, NamedTuple

from headgate.core.bounds import LONGEST_MS
from headgate.logs import about
from headgate.sdk.agent import Agent, Handler
from headgate.sdk.calls import NO_REPLY, REPLY
from headgate.sdk.calls import reply as send_reply
from headgate.sdk.errors import (
    MESSAGE_LIMIT,
    AgentError,
    DeadlineError,
    Park,
    RetryableError,
    StateError,
    TerminalError,
    WholeListsError,
)
from headgate.sdk.event import Event
from headgate.sdk.limit import Limit
from headgate.sdk.tracing import handling, in_this_context
from headgate.sdk.turn import Turn
from headgate.v1 import agent_pb2 as pb

logger = logging.getLogger("headgate.sdk")

# Enough to see the agent's own line and its caller; whole tracebacks of a failing agent that is
# retried a thousand times would drown the log.
_LOGGED_FRAMES = 3


class Step(NamedTuple):
    """A handler to call with its turn and event."""

    handler: Handler
    turn: Turn[Any]
    event: Event


Script = Generator[Step, Any, pb.TurnReply]


def script(agent: Agent[Any], request: pb.TurnRequest) -> Script:
    """Play one turn: yields steps, takes what they return or raise, returns the reply."""
    reply = pb.TurnReply(request_id=request.request_id, base=request.base, revision=agent.revision)
    pin = request.revision_pin
    if pin and pin != agent.revision:
        reply.failed.code = pb.FAILURE_CODE_UNKNOWN_AGENT
        reply.failed.advice = pb.ADVICE_RETRY
        reply.failed.message = f"pinned to revision {pin!r}, this is {agent.revision!r}"
        return reply
    try:
        work = agent.codec.load(request.state)
    except Exception as error:  # __post_init__ of the state is the author's code
        reply.failed.CopyFrom(_failure(error, request, 0))
        return reply
    turn: Turn[Any] = Turn(request, work.state)
    for index, given in enumerate(request.events):
        turn._begin(index)
        event = Event(given)
        try:
            said = yield Step(agent.handler_for(given.type, given.subject), turn, event)
            if said is not NO_REPLY and "replyto" in given.extensions and given.type != REPLY:
                caller, call_id = given.extensions["replyto"], given.extensions["callid"]
                send_reply(turn, caller, call_id, said)
            work.settle(turn.state)
            turn._settle()
        except Exception as error:  # whatever it is, it fails this turn only
            reply.failed.CopyFrom(_failure(error, request, index))
            break
        reply.taken_event_ids.append(given.id)
    else:
        reply.completed.SetInParent()
    if mutations := work.mutations():
        reply.mutations.extend(mutations)
    turn._hand_over(reply)
    return reply


def run_inline(agent: Agent[Any], request: pb.TurnRequest) -> pb.TurnReply:
    """Run a turn whose handlers are all plain functions, here and now.

    >>> agent = Agent("echo")
    >>> @agent.on("*")
    ... def answer(turn, event):
    ...     turn.emit("echo.reply", event.data)
    >>> run_inline(agent, pb.TurnRequest(events=[pb.Event(type="a", data=b"1")])).outputs[0].data
    b'1'
    """
    playing = script(agent, request)
    try:
        step = next(playing)
        while True:
            try:
                with handling(request, step.event._given):
                    said = step.handler.call(step.turn, step.event)
            except Exception as error:  # the script knows what to do with it
                step = playing.throw(error)
            except SystemExit as error:
                step = playing.throw(_exited(error))
            else:
                step = playing.send(said)
    except StopIteration as done:
        reply: pb.TurnReply = done.value
        return reply


async def run(
    agent: Agent[Any],
    request: pb.TurnRequest,
    *,
    deadline: float | None = None,
    pool: Executor | None = None,
) -> pb.TurnReply:
    """Run a turn of any agent, until `deadline` on the running loop's clock."""
    playing = script(agent, request)
    limit = None if deadline is None else Limit(deadline)
    try:
        step = next(playing)
        while True:
            try:
                with handling(request, step.event._given):
                    said = await _call(step, limit, pool)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # Not ours: the handler awaited something that was cancelled elsewhere.
                step = playing.throw(RuntimeError("the handler was cancelled from within"))
            except Exception as error:  # the script knows what to do with it
                step = playing.throw(error)
            except SystemExit as error:
                step = playing.throw(_exited(error))
            else:
                step = playing.send(said)
    except StopIteration as done:
        reply: pb.TurnReply = done.value
        return reply
    finally:
        if limit is not None:
            limit.lift()


async def _call(step: Step, limit: Limit | None, pool: Executor | None) -> Any:
    handler, turn, event = step
    if handler.is_async:
        waiting = handler.call(turn, event)
    elif handler.in_thread:
        call = in_this_context(handler.call)
        waiting = asyncio.get_running_loop().run_in_executor(pool, call, turn, event)
    else:
        return handler.call(turn, event)
    if limit is None:
        return await waiting
    with limit:
        return await waiting


def _exited(error: SystemExit) -> RuntimeError:
    # sys.exit() in a handler fails its turn, as any exception does: the others go on.
    return RuntimeError(f"the handler called sys.exit({error.code!r})")


def _failure(error: Exception, request: pb.TurnRequest, index: int) -> pb.Failure:
    event = request.events[index] if index < len(request.events) else pb.Event()
    text = _told(error).encode(errors="replace")[:MESSAGE_LIMIT].decode(errors="ignore")
    failure = pb.Failure(
        code=pb.FAILURE_CODE_AGENT_ERROR,
        message=text or type(error).__name__,
        event_id=event.id,
    )
    match error:
        case WholeListsError():
            failure.wants_whole_lists = True
        case RetryableError():
            failure.advice = pb.ADVICE_RETRY
            if error.after is not None:
                asked_ms = error.after // timedelta(milliseconds=1)
                failure.retry_after_ms = min(max(0, asked_ms), LONGEST_MS)
        case TerminalError():
            failure.code = pb.FAILURE_CODE_TERMINAL
            failure.advice = pb.ADVICE_DEAD_LETTER
        case Park() | StateError():
            # State that does not fit stays so until someone deploys or resets.
            failure.advice = pb.ADVICE_PARK
        case DeadlineError():
            failure.code = pb.FAILURE_CODE_DEADLINE_EXCEEDED
    if failure.wants_whole_lists:
        return failure
    frames = "" if isinstance(error, AgentError) else _last_frames(error)
    logger.warning(
        "%s/%s turn %d attempt %d: event %r failed: %s%s",
        request.agent_type,
        request.key,
        request.turn,
        request.attempt,
        event.id,
        text or type(error).__name__,
        frames,
        extra=about(
            f"{request.agent_type}/{request.key}",
            request.turn,
            request.attempt,
            request.traceparent,
            event_id=event.id,
        ),
    )
    return failure


def _told(error: Exception) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # its __str__ is someone's code too
        return name
    return text if isinstance(error, AgentError) else f"{name}: {text}"


def _last_frames(error: Exception) -> str:
    frames = traceback.format_tb(error.__traceback__, -_LOGGED_FRAMES)
    return "\n" + "".join(frames).rstrip()
