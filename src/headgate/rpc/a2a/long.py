"""Tasks that take longer than a call: the turn ends, and a durable timer asks for the task again.

What began the task is taken by then, so its failure cannot be tried again: nobody has the event any
more. It becomes a dead letter of the timer's event, which names the task.
"""

from __future__ import annotations

import json

from headgate.core.identity import digest
from headgate.core.own_types import TIMER
from headgate.rpc.a2a.memory import Memory
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, TimerChange, TurnReply, TurnRequest

NAME = "a2a.task"
"""How the names of the timers begin."""

FIRST_LOOK_MS = 1_000
LAST_LOOK_MS = 60_000
"""After how long a task is looked for again, doubling. An agent that takes a minute is noticed half
a minute late at worst; one that takes days costs a turn a minute, which holds nothing up."""

PATIENCE = 0.5
"""Part of the deadline for which a call waits for its task. What is left is for the answer itself,
so that a task that is only long never costs an attempt."""


def look_of(request: TurnRequest) -> str:
    """Return the id of the task that a turn only asks for: it is its timer's. "" of any other."""
    return _look(request)[0]


def _look(request: TurnRequest) -> tuple[str, int]:
    """Return task and pause of the timer that the turn is about; "" and 0 if it is about another,
    be it one of that name that an agent on another wire has left.
    """
    event = request.events[0]
    if event.type != TIMER or not event.subject.startswith(NAME):
        return "", 0
    try:
        data = json.loads(event.data)
        return str(data["task"]), int(data["pause_ms"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return "", 0


def look_again(request: TurnRequest, task: str) -> TimerChange:
    """Return the timer of the next look at a task."""
    before, pause_ms = _look(request)
    pause_ms = min(2 * pause_ms, LAST_LOOK_MS) if before else FIRST_LOOK_MS
    data = json.dumps({"task": task, "pause_ms": pause_ms}).encode()
    return TimerChange(name=_timer_of(task), after_ms=pause_ms, data=data)


def settle(request: TurnRequest, reply: TurnReply) -> TurnReply:
    """Cancel the looks at tasks that the reply ends, and give up what cannot be tried again."""
    if look_of(request):
        # Its timer ends with the turn that takes it.
        if reply.HasField("failed"):
            reply.failed.advice = reply.failed.advice or ADVICE_DEAD_LETTER
        return reply
    before, after = Memory.of(request), _after(request, reply)
    for task in sorted(before.running - after.running):
        # An event has brought the task to its end, before the look that was due.
        reply.timers.add(name=_timer_of(task), cancel=True)
    return reply


def _after(request: TurnRequest, reply: TurnReply) -> Memory:
    changed = TurnRequest()
    changed.state.CopyFrom(request.state)
    for mutation in reply.mutations:
        changed.state.values[mutation.name] = mutation.set
    return Memory.of(changed)


def _timer_of(task: str) -> str:
    # A foreign id may be longer than a timer's name, and hold any character.
    return f"{NAME}.{digest('a2a-task', task).hex()[:32]}"
