"""An agent whose every answer is written in the events it is sent: the same in any world.

The data of an event is JSON: ``{"do": WORD, "times": N}``. It does as told while the head event's
attempt is at most ``times`` (1 if absent), and takes the event after that:

====================  ====================================================================
``take`` (default)    appends the event's id to the list ``seen``, counts, chains, emits
``tell``              as ``take``, and sends ``say`` (a script) to the address ``to``
``set``               as ``take``, and sets the timer ``name``, due after ``after_ms``, with
                      ``say``
``unset``             as ``take``, and cancels the timer ``name``
``retry``             fails, naming the event; ``after_ms`` asks for a delay
``fail``              fails for ever, naming the event
``terminal``          says that the event can never succeed
``park``              asks to be parked
``shun``              fails any batch of several events, naming none; alone it is taken
``lie_base``          answers with a base that nobody asked for
``lie_ids``           answers with ids that nobody sent
``lie_silent``        answers with neither completed nor failed
``large``             answers with a record over the limit
``hang``              does not answer
``unavailable``       is unavailable, for the first ``times`` calls with this event at the head
====================  ====================================================================

``as`` is a name for the event in what it tells: ids of messages and timers depend on how events
were batched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from headgate.sim.agents import Answer, NoAnswer
from headgate.v1.agent_pb2 import (
    ADVICE_PARK,
    ADVICE_RETRY,
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_TERMINAL,
    Event,
    Failure,
    TurnReply,
    TurnRequest,
)

LARGE_BYTES = 1_000_001


def chain(before: bytes, event_id: str) -> bytes:
    """Return the value ``chain`` after an event: it tells any two orders of events apart."""
    return blake2b(before + event_id.encode(), digest_size=8).hexdigest().encode()


@dataclass(slots=True)
class ScriptedAgent:
    """Does what events tell it to. ``takes_all_or_nothing``: a failing batch takes no prefix.
    ``tokens``: what each answer reports to have used, once to three times.
    """

    takes_all_or_nothing: bool = False
    duration_ms: int = 20
    tokens: int = 0
    calls: int = 0
    _unavailable: dict[str, int] = field(default_factory=dict)

    def takes_ms(self, request: TurnRequest) -> int:
        """Return how long every call takes."""
        return self.duration_ms

    def answer(self, request: TurnRequest) -> Answer:
        """Answer one call as its events say."""
        self.calls += 1
        reply = self._answer(request)
        if self.tokens and isinstance(reply, TurnReply):
            reply.usage.add(model="scripted", input_tokens=self.tokens * (1 + self.calls % 3))
        return reply

    def _answer(self, request: TurnRequest) -> Answer:
        head = request.events[0]
        script = _script(head)
        times = script.get("times", 1)
        reply = TurnReply(request_id=request.request_id, base=request.base, revision="scripted")
        reply.completed.SetInParent()
        match script.get("do"):
            case "unavailable":
                made = self._unavailable[head.id] = self._unavailable.get(head.id, 0) + 1
                if made <= times:
                    return NoAnswer.UNAVAILABLE
            case "hang" if request.attempt <= times:
                return NoAnswer.SILENCE
            case "lie_base" if request.attempt <= times:
                reply.base = bytes(16)
                reply.taken_event_ids.extend(e.id for e in request.events)
                return reply
            case "lie_ids" if request.attempt <= times:
                reply.taken_event_ids.append("never sent")
                return reply
            case "lie_silent" if request.attempt <= times:
                return TurnReply(request_id=request.request_id, base=request.base)
            case "large" if request.attempt <= times:
                reply.taken_event_ids.extend(e.id for e in request.events)
                reply.outputs.add(type="large", data=b'"' + b"0" * LARGE_BYTES + b'"')
                return reply
        return self._take(request, reply)

    def _take(self, request: TurnRequest, reply: TurnReply) -> TurnReply:
        values = request.state.values
        count, link = int(values.get("count", b"0")), values.get("chain", b"")
        for place, event in enumerate(request.events):
            failure = _failure(event, request, place)
            if failure is not None:
                if self.takes_all_or_nothing or not failure.event_id:
                    failure.event_id = failure.event_id if place == 0 else ""
                    plain = TurnReply(request_id=request.request_id, base=request.base)
                    plain.failed.CopyFrom(failure)
                    return plain
                reply.failed.CopyFrom(failure)
                break
            script = _script(event)
            _plan(script, reply, place)
            name = str(script.get("as", event.id))
            count, link = count + 1, chain(link, event.id)
            reply.taken_event_ids.append(event.id)
            reply.mutations.add(name="seen", append=name.encode())
            # Every answer differs, as those of a model do: a fork cannot hide behind equal content.
            said = {"event": name, "count": count, "call": self.calls}
            reply.outputs.add(type="scripted.took", data=json.dumps(said).encode(), cause=place)
        if reply.taken_event_ids:
            reply.mutations.add(name="count", set=str(count).encode())
            reply.mutations.add(name="chain", set=link)
            reply.mutations.add(name="call", set=str(self.calls).encode())
        return reply


def _script(event: Event) -> dict[str, Any]:
    try:
        said = json.loads(event.data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _plan(script: dict[str, Any], reply: TurnReply, place: int) -> None:
    match script.get("do"):
        case "tell":
            agent_type, _, key = script["to"].partition("/")
            message = reply.messages.add(agent_type=agent_type, key=key, type="scripted")
            message.data = _said(script)
            message.cause = place
        case "set":
            change = reply.timers.add(name=script["name"], after_ms=script["after_ms"])
            change.data, change.cause = _said(script), place
        case "unset":
            reply.timers.add(name=script["name"], cancel=True)


def _said(script: dict[str, Any]) -> bytes:
    return json.dumps(script.get("say", {"do": "take"})).encode()


def _failure(event: Event, request: TurnRequest, place: int) -> Failure | None:
    script = _script(event)
    attempt = request.attempt if place == 0 else 1
    # The message says which event it was, for whoever checks the accounts afterwards.
    failure = Failure(code=FAILURE_CODE_AGENT_ERROR, message=event.id, event_id=event.id)
    match script.get("do"):
        case "fail":
            return failure
        case "retry" if attempt <= script.get("times", 1):
            failure.advice = ADVICE_RETRY
            failure.retry_after_ms = script.get("after_ms", 0)
            return failure
        case "park" if attempt <= script.get("times", 1):
            failure.advice = ADVICE_PARK
            return failure
        case "terminal":
            failure.code = FAILURE_CODE_TERMINAL
            return failure
        case "shun" if len(request.events) > 1:
            failure.event_id = ""
            return failure
    return None
