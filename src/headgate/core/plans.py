"""What a reply may ask to happen later or elsewhere: its messages and timers, held to the contract.

Refused here, before it is journaled. Afterwards it would be too late: applying must not fail.
"""

from __future__ import annotations

import re

from headgate.core.asked import REPLY_BYTES, is_answer
from headgate.core.bounds import LATEST_US, LONGEST_MS
from headgate.core.decode import MAX_ATTRIBUTE_CHARS, MAX_KEY_CHARS
from headgate.core.extensions import fault_of_extensions
from headgate.core.own_types import OWN_TYPES
from headgate.v1.agent_pb2 import Message, TimerChange, TurnReply

AGENT_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NAME_CHARS = 255
"""Of a name that an agent gives: a timer's, a value's, a list's."""


def fault_of(reply: TurnReply) -> str:
    """Return what is wrong with the messages or timers of a reply, or "" if nothing is."""
    for number, message in enumerate(reply.messages[:]):
        wrong = _fault_of_message(message)
        if wrong:
            return f"message {number} {wrong}"
    for number, change in enumerate(reply.timers[:]):
        wrong = _fault_of_timer(change)
        if wrong:
            return f"timer {number} {wrong}"
    return ""


def _fault_of_message(message: Message) -> str:
    if not (is_answer(message) or AGENT_TYPE.fullmatch(message.agent_type)):
        return f"is for agent type {message.agent_type!r}: a-z, 0-9, _ and -, at most 63 characters"
    if not 1 <= len(message.key) <= MAX_KEY_CHARS:
        return f"has a key of {len(message.key)} characters; 1 to {MAX_KEY_CHARS} are allowed"
    if not 1 <= len(message.type) <= MAX_ATTRIBUTE_CHARS:
        return (
            f"has a type of {len(message.type)} characters; 1 to {MAX_ATTRIBUTE_CHARS} are allowed"
        )
    if message.type in OWN_TYPES:
        return f"has the type {message.type!r}, which Headgate alone gives"
    if is_answer(message) and len(message.data) > REPLY_BYTES:
        return (
            f"answers a front door with {len(message.data)} bytes; at most {REPLY_BYTES} are "
            "allowed, emit what is larger"
        )
    return fault_of_extensions(message.extensions)


def _fault_of_timer(change: TimerChange) -> str:
    if not 1 <= len(change.name) <= NAME_CHARS:
        return f"has a name of {len(change.name)} characters; 1 to {NAME_CHARS} are allowed"
    match change.WhichOneof("change"):
        case "after_ms" if not 0 <= change.after_ms <= LONGEST_MS:
            return f"{change.name!r} is due after {change.after_ms} ms; 0 to 100 years are allowed"
        case "at_us" if not 0 <= change.at_us <= LATEST_US:
            return f"{change.name!r} is due at {change.at_us} us; 1970 to 9000 are allowed"
        case None:
            return f"{change.name!r} says neither after, at nor cancel"
    return ""


def too_large(reply: TurnReply, limit: int) -> str:
    """Return which message or timer would make a record over ``limit`` bytes; "" if none would."""
    for number, message in enumerate(reply.messages[:]):
        if message.ByteSize() > limit:
            return f"message {number} has {message.ByteSize()} bytes; at most {limit} are allowed"
    for number, change in enumerate(reply.timers[:]):
        if change.ByteSize() > limit:
            return f"timer {number} has {change.ByteSize()} bytes; at most {limit} are allowed"
    return ""
