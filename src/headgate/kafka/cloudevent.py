"""CloudEvents 1.0 in structured JSON, as producers of events write them."""

from __future__ import annotations

import json
import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from headgate.core.render import is_json, rfc3339

MEDIA_TYPE = "application/cloudevents+json"
CONTENT_TYPE = ("content-type", MEDIA_TYPE.encode())

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def structured(
    data: Any,
    *,
    event_type: str,
    source: str,
    event_id: str = "",
    subject: str = "",
    time_us: int = 0,
    datacontenttype: str = "application/json",
    extensions: Mapping[str, str] | None = None,
) -> bytes:
    """Return the event as bytes; without an id and a time it gets a random id and the clock's time.

    Whoever may publish an event twice gives it an id: repeats are then recognised.

    >>> structured({"text": "hi"}, event_type="t", source="s", event_id="1", time_us=1)[-27:]
    b'json","data":{"text":"hi"}}'
    """
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id or str(uuid.uuid4()),
        "source": source,
        "type": event_type,
        "time": rfc3339(time_us or time.time_ns() // 1_000),
    }
    if subject:
        envelope["subject"] = subject
    for name, value in (extensions or {}).items():
        envelope.setdefault(name, value)
    envelope["datacontenttype"] = datacontenttype
    if isinstance(data, bytes) and not is_json(datacontenttype):
        envelope["data_base64"] = b64encode(data).decode()
    else:
        envelope["data"] = data
    return _encode(envelope).encode()
