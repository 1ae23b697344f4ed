"""An event as it stood in its topic: what a turn was given."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from headgate.cli.registered import read
from headgate.core.render import rfc3339
from headgate.errors import HeadgateError
from headgate.kafka.outcomes import data_of
from headgate.kafka.span import Spans
from headgate.ui.desk import Desk
from headgate.ui.payload import pretty
from headgate.ui.render import render
from headgate.v1.turn_pb2 import InboxRecord


class NoRecordError(HeadgateError):
    """There is no such record, or it is none that agents are given.

    Operator action: topics keep records for as long as their retention says; an older one is gone.
    """


def routes(desk: Desk) -> list[Route]:
    """Return the page's route."""

    async def record(request: Request) -> Response:
        given = request.path_params
        topic, partition, offset = given["topic"], given["partition"], given["offset"]
        seen = await asyncio.to_thread(_look, desk, topic, partition, offset)
        if request.query_params.get("part") == "value":
            return PlainTextResponse(pretty(seen["value"], 0).text)
        return render(request, "record.html", seen=seen, living=False)

    return [Route("/records/{topic}/{partition:int}/{offset:int}", record)]


def _look(desk: Desk, topic: str, partition: int, offset: int) -> dict[str, Any]:
    broker = desk.broker
    inbox = broker.config.topic_names.inbox
    job = read(broker).job
    # Not any topic of the broker: somebody else's are not the console's to show.
    if topic not in {inbox, *(job.topics if job else ())}:
        message = f"the job reads no topic {topic!r}"
        raise NoRecordError(message)
    with Spans(broker.bootstrap, is_read_committed=False) as spans:
        if partition >= broker.config.kafka.partitions and topic == inbox:
            message = f"{topic} has no partition {partition}"
            raise NoRecordError(message)
        found = next(iter(spans.records(topic, partition, offset, offset + 1)), None)
    if found is None:
        message = f"{topic}/{partition} does not hold offset {offset} (any more)"
        raise NoRecordError(message)
    value = _inbox(found.value) if topic == inbox else None
    return {
        "where": f"{topic}/{partition} at {offset}",
        "link": f"/records/{topic}/{partition}/{offset}",
        "at": rfc3339(found.timestamp * 1_000),
        "key": (found.key or b"").decode(errors="backslashreplace"),
        "headers": {
            name: (content or b"").decode(errors="backslashreplace")
            for name, content in found.headers or ()
        },
        "value": value or next(iter(data_of("value", found.value or b"").values())),
    }


def _inbox(value: bytes | None) -> dict[str, Any] | None:
    try:
        read = InboxRecord.FromString(value or b"")
    except DecodeError:
        return None
    kind = read.WhichOneof("kind") or ""
    inner = getattr(read, kind, None)
    if inner is None:
        return None
    shown = {kind: MessageToDict(inner, preserving_proto_field_name=True)}
    # Bytes would be base64; what people sent is JSON.
    event = inner.event if kind in {"message", "replayed"} else inner
    data = getattr(event, "data", b"")
    return {**shown, **data_of("data", data)} if data else shown
