"""Messages between instances. Rule 9 of the protocol.

On the wire a message comes at least once: a restored Gate applies outcomes again, and posts again
what they send. Its receiver remembers of each sender the last (turn, index) that came. A sender's
messages for one receiver stand in the inbox in the order of these numbers, repeats apart, so what
is not later than the last is a repeat, were it years old: no window forgets it.
"""

from __future__ import annotations

from headgate.core import dedup
from headgate.core.asked import is_answer
from headgate.core.identity import address_of, digest
from headgate.core.instance import Instance
from headgate.core.model import Post
from headgate.core.reference import cause_of
from headgate.v1.agent_pb2 import Event, Message
from headgate.v1.turn_pb2 import AgentMessage, InboxRecord, Outcome


def post(instance: Instance, outcome: Outcome) -> None:
    """Send the messages of an outcome that has just been applied."""
    address, control = instance.address, instance.control
    for index, message in enumerate(outcome.messages[:]):
        if is_answer(message):
            continue
        record = InboxRecord()
        posted = record.message
        posted.sender, posted.turn, posted.index = address, control.turn, index
        posted.at_us = control.at_us
        _fill(posted.event, message, posted, outcome)
        receiver = address_of(message.agent_type, message.key)
        instance.transition.effects.append(Post(receiver, record.SerializeToString()))


def message_id(sender: str, turn: int, index: int) -> str:
    """Return the id of the event that a message is.

    Not the one that an output of the same turn has: both have one source.
    """
    return f"{sender}/{turn}/m{index}"


def _fill(event: Event, message: Message, posted: AgentMessage, outcome: Outcome) -> None:
    event.id = message_id(posted.sender, posted.turn, posted.index)
    event.source = f"headgate:{posted.sender}"
    event.type = message.type
    event.subject = message.key
    event.time_us = event.at_us = posted.at_us
    event.datacontenttype = message.datacontenttype
    event.data = message.data
    for name, value in message.extensions.items():
        event.extensions[name] = value
    event.traceparent = outcome.traceparent
    if outcome.tracestate:
        event.extensions["tracestate"] = outcome.tracestate
    event.correlation_id = cause_of(message.cause, outcome) or event.id
    event.fingerprint = digest("message", posted.sender, posted.turn, posted.index)


def is_new(instance: Instance, message: AgentMessage) -> bool:
    """Note a message's arrival; False for a repeat, or where a turn has taken it before it came."""
    name = f"s{message.sender}"
    number = _number(message.turn, message.index)
    last = instance.get(name)
    # First: the record has come, whatever it says.
    has_not_come = dedup.is_new(instance, message.event)
    if last is not None and number <= last:
        return False
    instance.put(name, number)
    return has_not_come


def _number(turn: int, index: int) -> bytes:
    # Of equal length and big-endian: bytes compare as the numbers do.
    return turn.to_bytes(8, "big") + index.to_bytes(4, "big")
