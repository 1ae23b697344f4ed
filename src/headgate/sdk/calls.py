"""Calls between agents: an event that asks for an answer, and the message that is one.

Whoever calls sends a message with the extension attributes `replyto` (its address) and `callid`.
What the handler returns goes back as a message of type "headgate.reply" with the same `callid`;
where the handler refuses, it has an attribute `refused` that says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.sdk.turn import Turn

REPLY = "headgate.reply"

REASON_CHARS = 1_000
"""Longest reason of a refusal that is sent: an attribute is no place for a traceback."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Returned by a handler that was called: the caller gets a CallError with this reason.

    An exception, in contrast, is a failure of the turn: it is tried again, and the caller waits.

    >>> Refusal("no such order").reason
    'no such order'
    """

    reason: str


class _NoReply:
    """The type of NO_REPLY."""


NO_REPLY = _NoReply()
"""Returned by a handler that will answer, if at all, in a later turn."""


def reply(turn: Turn[Any], reply_to: str, call_id: str, value: Any) -> None:
    """Send a caller its answer."""
    extensions = {"callid": call_id}
    if isinstance(value, Refusal):
        extensions["refused"] = value.reason[:REASON_CHARS] or "refused"
        value = None
    turn.send(reply_to, REPLY, value, extensions=extensions)
