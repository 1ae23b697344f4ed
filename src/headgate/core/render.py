"""Outputs as CloudEvents 1.0 in structured JSON: the value of an outbox record."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

from headgate.v1.turn_pb2 import Outcome

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC; without a zone its text has no offset
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def rfc3339(at_us: int) -> str:
    """Return microseconds since the epoch as CloudEvents' timestamp.

    >>> rfc3339(1_700_000_000_000_001)
    '2023-11-14T22:13:20.000001Z'
    """
    at = _EPOCH + timedelta(microseconds=at_us)
    return at.isoformat(timespec="microseconds") + "Z"


def outputs(address: str, turn: int, at_us: int, outcome: Outcome) -> list[bytes]:
    """Render an outcome's outputs; ids are address/turn/index, the same at every replay."""
    if not outcome.outputs:
        return []
    time = rfc3339(at_us)
    rendered = []
    for index, output in enumerate(outcome.outputs):
        envelope: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"{address}/{turn}/{index}",
            "source": f"headgate:{address}",
            "type": output.type,
            "subject": output.subject or outcome.key,
            "time": time,
            "recordedtime": time,
            "sequence": f"{turn:020d}.{index:06d}",
        }
        if output.cause < len(outcome.taken):
            cause = outcome.taken[output.cause]
            envelope["correlationid"] = cause.correlation_id
            envelope["causationid"] = cause.id
        if outcome.traceparent:
            envelope["traceparent"] = outcome.traceparent
        for name, value in output.extensions.items():
            envelope.setdefault(name, value)
        media = output.datacontenttype or "application/json"
        envelope["datacontenttype"] = media
        head = _encode(envelope)
        if not output.data:
            rendered.append(head.encode())
        elif is_json(media):
            # The agent's JSON is passed on as it is: Invoke has checked that it is JSON.
            rendered.append(head[:-1].encode() + b',"data":' + output.data + b"}")
        else:
            body = b64encode(output.data).decode()
            rendered.append(f'{head[:-1]},"data_base64":"{body}"}}'.encode())
    return rendered


def is_json(media_type: str) -> bool:
    """Tell whether a media type is JSON, as CloudEvents defines it."""
    media = media_type.partition(";")[0].strip().lower()
    return media in {"", "application/json", "text/json"} or media.endswith("+json")
