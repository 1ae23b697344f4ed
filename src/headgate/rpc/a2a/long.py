"""Tasks that take longer than a call: the turn ends, and a durable timer asks for the task again.

What began the task is taken by then, so its failure cannot be tried again: nobody has the event any
more. It becomes a dead letter of the timer's event, which names the task.
"""

from __future__ import annotations

import json

from headgate.core.own_types import TIMER
from headgate.rpc.a2a.memory import Memory
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, TimerChange, TurnReply, TurnRequest

NAME = "a2a.task"
"""Of the timer."""

FIRST_LOOK_MS = 1_000
LAST_LOOK_MS = 60_000
"""After how long a task is looked for again, doubling. An agent that takes a minute is noticed half
a minute late at worst; one that takes days costs a turn a minute, which holds nothing up."""

PATIENCE = 0.5
"""Part of the deadline for which a call waits for its task. What is left is for the answer itself,
so that a task that is only long never costs an attempt."""


def is_look(request: TurnRequest) -> bool:
    """Tell whether a turn is the timer's: it asks for the task, and sends nothing."""
    event = request.events[0]
    return event.type == TIMER and event.subject == NAME


def look_again(request: TurnRequest) -> TimerChange:
    """Return the timer of the next look."""
    pause_ms = FIRST_LOOK_MS
    if is_look(request):
        pause_ms = min(2 * json.loads(request.events[0].data)["pause_ms"], LAST_LOOK_MS)
    data = json.dumps({"pause_ms": pause_ms}).encode()
    return TimerChange(name=NAME, after_ms=pause_ms, data=data)


def settle(request: TurnRequest, reply: TurnReply, known: Memory) -> TurnReply:
    """Let a reply end what was set for a running task, and give up what cannot be tried again."""
    if is_look(request):
        # Its timer ends with the turn that takes it.
        if reply.HasField("failed"):
            reply.failed.advice = reply.failed.advice or ADVICE_DEAD_LETTER
    elif known.is_running and reply.mutations and not reply.timers:
        # An event has brought the task to its end, before the look that was due.
        reply.timers.add(name=NAME, cancel=True)
    return reply
