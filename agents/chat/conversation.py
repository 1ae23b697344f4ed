"""What is kept of a conversation, and what of it the model is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from completions import ToolCall  # type: ignore[import-not-found]

from headgate.sdk import Log, log


@dataclass
class Message:
    """One message, in the terms of the chat-completions API."""

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_calls: list[ToolCall] = field(default_factory=list)
    tool_call_id: str = ""


@dataclass
class Conversation:
    """State of one conversation: appended, never rewritten."""

    messages: Log[Message] = log()  # noqa: RUF009 - declares a field, as field() does


def shown(system: str, messages: Sequence[Message], limit: int) -> list[dict[str, Any]]:
    """Make the list for the model: the system's words, then at most `limit` newest messages.

    It begins with a user's message: a tool's result without its call is refused by most servers.
    The newest exchange is shown whole, however long.
    """
    starts = [place for place, each in enumerate(messages) if each.role == "user"]
    fitting = [place for place in starts if len(messages) - place <= limit]
    first = fitting[0] if fitting else starts[-1]
    head = [{"role": "system", "content": system}] if system else []
    return head + [_as_json(message) for message in messages[first:]]


def _as_json(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["content"] = message.content or None
        out["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        out["tool_call_id"] = message.tool_call_id
    return out
