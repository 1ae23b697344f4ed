"""What a front door is asked: an event, and the reply to it. Rule 14 of the protocol.

The reply is told by the outcome that took the event, when it is applied: only Gate knows that it
counts. It goes out at once, and again with every replay of that outcome, always the same.
"""

from __future__ import annotations

from headgate.core.decode import MAX_ATTRIBUTE_CHARS
from headgate.core.extensions import fault_of_extensions
from headgate.core.identity import event_fingerprint
from headgate.core.instance import Instance
from headgate.core.model import Replied
from headgate.core.own_types import OWN_TYPES
from headgate.v1.agent_pb2 import Event, Message
from headgate.v1.turn_pb2 import Controlled, DeadLetter, Outcome, Reply

SOURCE = "headgate:door"
"""CloudEvents source of all that doors are asked, so that a repeat at another door is one too."""

DOOR = "headgate.door"
"""Stands for an agent type where an agent answers: no agent can have that name."""

REPLY_VERSION = 1

REPLY_BYTES = 768 * 1024
"""Most of answer and outputs that one reply holds: with its envelope it must fit into the smallest
record that a topic of Headgate's takes."""


def fault_of(event: Event) -> str:
    """Return what is wrong with an event that a door is asked, or "" if nothing is."""
    for what, text in (("id", event.id), ("type", event.type)):
        if not 1 <= len(text) <= MAX_ATTRIBUTE_CHARS:
            return f"the {what} has {len(text)} characters; 1 to {MAX_ATTRIBUTE_CHARS} are allowed"
    if event.type in OWN_TYPES:
        return f"the type {event.type!r} is Headgate's own"
    fault = fault_of_extensions(event.extensions)
    return f"the event {fault}" if fault else ""


def event_of(asked: Event) -> Event:
    """Return the event that its instance is to take; its origin is not set."""
    # Made anew: what else stands in it is Headgate's to say.
    event = Event(
        id=asked.id,
        source=SOURCE,
        type=asked.type,
        subject=asked.subject,
        time_us=asked.time_us,
        datacontenttype=asked.datacontenttype,
        dataschema=asked.dataschema,
        data=asked.data,
        extensions=asked.extensions,
        traceparent=asked.traceparent,
        correlation_id=asked.correlation_id or asked.id,
        fingerprint=event_fingerprint(SOURCE, asked.id),
        has_id=True,
    )
    event.extensions["replyto"] = f"{DOOR}/{event.id}"
    event.extensions["callid"] = event.id
    return event


def reply(instance: Instance, outcome: Outcome, rendered: list[bytes]) -> None:
    """Reply to those that an outcome that has just been applied has taken.

    rendered: its outputs, as the outbox has them.
    """
    given_up = _given_up(outcome)
    last = len(outcome.taken) - 1
    for index, ref in enumerate(outcome.taken[:]):
        if ref.source != SOURCE:
            continue
        control = instance.control
        made = Reply(
            address=instance.address,
            request_id=ref.id,
            turn=control.turn,
            at_us=control.at_us,
            schema_version=REPLY_VERSION,
        )
        if given_up is not None and index == last:
            made.given_up, made.message = given_up.reason, given_up.message
        else:
            _say(made, outcome, rendered, index)
        instance.transition.effects.append(Replied(ref.id, made.SerializeToString()))


def reply_refused(instance: Instance, event: Event, letter: DeadLetter) -> None:
    """Reply that an event was given up before any turn, if a door was asked it."""
    if event.source != SOURCE:
        return
    made = Reply(
        address=instance.address,
        request_id=event.id,
        at_us=letter.at_ms * 1000,
        given_up=letter.reason,
        message=letter.message,
        schema_version=REPLY_VERSION,
    )
    instance.transition.effects.append(Replied(event.id, made.SerializeToString()))


def _given_up(outcome: Outcome) -> DeadLetter | None:
    """Return the dead letter of the last event that an outcome took, if that was given up."""
    match outcome.WhichOneof("verdict"):
        case "failed" if outcome.failed.HasField("dead_letter"):
            return outcome.failed.dead_letter
        case "controlled" if outcome.controlled.verb == Controlled.SKIP:
            return outcome.controlled.dead_letter
        case _:
            return None


def _say(made: Reply, outcome: Outcome, rendered: list[bytes], index: int) -> None:
    left = REPLY_BYTES
    for message in outcome.messages[:]:
        # It is small enough: Invoke has seen to it (`core.plans`).
        if is_answer(message) and message.key == made.request_id:
            left -= len(message.data)
            made.answer.data = message.data
            made.answer.datacontenttype = message.datacontenttype
            made.answer.refused = message.extensions.get("refused", "")
    for output, value in zip(outcome.outputs[:], rendered, strict=True):
        if output.cause == index:
            left -= len(value)
            if left < 0:
                made.truncated = True
                return
            made.outputs.append(value)


def is_answer(message: Message) -> bool:
    """Tell whether a message is the answer to what a door was asked, not for an instance."""
    return message.agent_type == DOOR
