"""Replies as plain dicts, for JSON."""

from __future__ import annotations

import json
from typing import Any

from headgate.core.render import rfc3339
from headgate.kafka.outcomes import data_of
from headgate.v1.turn_pb2 import Reply


def reply_view(reply: Reply) -> dict[str, Any]:
    """Return what a reply says; parts that there are none of are left out.

    status: `done`, `refused` (by the agent: `message` says why) or `given_up` (the event is a dead
    letter; `reason` and `message` say why).
    """
    shown: dict[str, Any] = {
        "address": reply.address,
        "request_id": reply.request_id,
        "status": status_of(reply),
    }
    if reply.turn:
        shown |= {"turn": reply.turn, "at": rfc3339(reply.at_us)}
    if reply.given_up:
        return shown | {"reason": reply.given_up, "message": reply.message}
    if reply.answer.refused:
        shown["message"] = reply.answer.refused
    elif reply.HasField("answer"):
        shown |= data_of("result", reply.answer.data)
    shown["outputs"] = [json.loads(each) for each in reply.outputs]
    if reply.truncated:
        shown["truncated"] = True
    return shown


def status_of(reply: Reply) -> str:
    """Return in a word what came of a request."""
    if reply.given_up:
        return "given_up"
    return "refused" if reply.answer.refused else "done"
