"""Events as the parts of a message."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from headgate.core.identity import address_of, digest
from headgate.core.render import is_json
from headgate.v1.a2a_pb2 import ROLE_USER, Message, Part
from headgate.v1.agent_pb2 import Event, TurnRequest

CAUSE = "headgate_cause"
"""Name, in a message's metadata, of what it has in common with other attempts at its events."""


def cause_of(request: TurnRequest) -> str:
    """Name the events of a turn for one instance: the same in every attempt, on every base."""
    prints = [event.fingerprint for event in request.events]
    return digest("a2a", address_of(request.agent_type, request.key), *prints).hex()


def message_of(request: TurnRequest, task_id: str) -> Message:
    """Return the message that a turn is."""
    message = Message(
        message_id=request.idempotency_key,
        context_id=address_of(request.agent_type, request.key),
        task_id=task_id,
        role=ROLE_USER,
        parts=[part_of(event) for event in request.events],
    )
    message.metadata.update({CAUSE: cause_of(request), "headgate_attempt": request.attempt})
    return message


def part_of(event: Event) -> Part:
    """Return an event's data as a part: text where a person could have written it, else data.

    Agents that know only text are many; so a JSON string, and an object whose one field is
    ``text``, are sent as text.
    """
    kind = event.datacontenttype
    part = Part(media_type=kind or "application/json", metadata=_attributes(event))
    try:
        if is_json(kind):
            _fill(part, json.loads(event.data.decode()))
        elif kind.startswith("text/"):
            part.text = event.data.decode()
        else:
            part.raw = event.data
    except (ValueError, RecursionError, json_format.ParseError):
        # Not what it says it is: as it came, for the agent to judge.
        part.raw = event.data
    return part


def _fill(part: Part, value: Any) -> None:
    match value:
        case {"text": str(text), **others} if not others:
            part.text = text
        case str():
            part.text = value
        case _:
            json_format.ParseDict(value, part.data)
            return
    part.media_type = "text/plain"


def _attributes(event: Event) -> Struct:
    attributes = Struct()
    attributes.update(
        {"id": event.id, "source": event.source, "type": event.type, "subject": event.subject}
    )
    return attributes
