"""Outputs, messages, timers and bytes as plain JSON values, and when two of them say the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headgate.core.identity import address_of
from headgate.core.render import is_json
from headgate.kafka.outcomes import data_of
from headgate.v1.agent_pb2 import Message, Output, TimerChange

View = dict[str, Any]


def name_of(part: View) -> str:
    """Return the type of an output or message, or the name of a timer."""
    return str(part.get("type") or part.get("name") or "")


def output_view(output: Output, key: str) -> View:
    """Return an output; ``key``: its instance's, which is its subject where it names none."""
    subject = {"subject": output.subject} if output.subject not in {"", key} else {}
    return {"type": output.type, **subject, **_payload(output), **_cause(output)}


def message_view(message: Message) -> View:
    """Return a message."""
    to = address_of(message.agent_type, message.key)
    return {"to": to, "type": message.type, **_payload(message), **_cause(message)}


def timer_view(timer: TimerChange) -> View:
    """Return a timer that is set or cancelled."""
    kind = timer.WhichOneof("change") or "cancel"
    return {"name": timer.name, kind: getattr(timer, kind), **_payload(timer), **_cause(timer)}


def _payload(part: Output | Message | TimerChange) -> View:
    shown = data_of("data", part.data) if part.data else {}
    if not is_json(part.datacontenttype):
        shown["datacontenttype"] = part.datacontenttype
    extensions: Mapping[str, str] = {} if isinstance(part, TimerChange) else part.extensions
    return {**shown, "extensions": dict(extensions)} if extensions else shown


def _cause(part: Output | Message | TimerChange) -> View:
    return {"cause": part.cause} if part.cause else {}


def said(raw: bytes) -> str | bytes:
    """Return bytes so that two that say the same in JSON are equal, and no two others."""
    try:
        return canonical(json.loads(raw))
    except (ValueError, RecursionError):
        return raw


def canonical(value: Any) -> str:
    """Return JSON that is the same for values that say the same."""
    return json.dumps(value, sort_keys=True)
