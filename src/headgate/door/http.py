"""The front door over HTTP: JSON in, JSON out, server-sent events for a workflow's progress."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from headgate.core.decode import MAX_ATTRIBUTE_CHARS, MAX_KEY_CHARS, time_us_of
from headgate.core.identity import address_of
from headgate.core.render import is_json
from headgate.door.errors import (
    BadRequestError,
    ForbiddenError,
    NoAnswerError,
    NotEntitledError,
    UnauthenticatedError,
    UnknownAgentError,
)
from headgate.door.views import reply_view
from headgate.errors import HeadgateError
from headgate.kafka.reports import report_view
from headgate.kafka.workflow_views import ENDED
from headgate.listening import seconds_asked
from headgate.rpc.query import QueryError
from headgate.v1.agent_pb2 import Event
from headgate.v1.query_pb2 import QueryRequest
from headgate.v1.turn_pb2 import Reply, Signal

if TYPE_CHECKING:
    from headgate.door.waiting import Waiting

DEFAULT_SECONDS = 30.0
"""How long a request waits that says nothing of it: less than the minute after which common proxies
give up."""

EVENT_TYPE = "headgate.request"
"""CloudEvents type of a request that names none."""

MOST_DIGITS = 18
"""Of a turn's number. Python refuses to read thousands of them, and would be right."""

_STATUS = {"done": 200, "refused": 409, "given_up": 500}
_GIVEN_UP = {"mailbox_full": 429, "unknown_agent": 404, "terminal": 422, "too_large": 413}
_ERRORS: tuple[tuple[type[HeadgateError], int, str], ...] = (
    (BadRequestError, 400, "bad_request"),
    (ForbiddenError, 403, "forbidden"),
    (UnauthenticatedError, 401, "unauthenticated"),
    (NotEntitledError, 403, "not_entitled"),
    (UnknownAgentError, 404, "unknown_agent"),
    (NoAnswerError, 504, "no_answer"),
    (QueryError, 502, "not_answered"),
    (HeadgateError, 503, "unavailable"),
)


def make_app(waiting: Waiting, *, max_body: int) -> Starlette:
    """Return the application; ``max_body`` bytes are the most that a request may bring."""
    door = _Door(waiting, max_body)
    instance = "{type}/{key:path}"
    return Starlette(
        routes=[
            Route("/health", door.health),
            Route(f"/agents/{instance}", door.ask, methods=["POST"]),
            Route(f"/agents/{instance}", door.look, methods=["GET"]),
            Route(f"/requests/{instance}", door.reply, methods=["GET"]),
            Route(f"/queries/{instance}", door.query, methods=["GET", "POST"]),
            Route(f"/signals/{instance}", door.signal, methods=["POST"]),
            Route(f"/workflows/{instance}", door.start, methods=["POST"]),
            Route(f"/workflows/{instance}", door.workflow, methods=["GET"]),
            Route(f"/workflows/{instance}", door.cancel, methods=["DELETE"]),
        ],
        exception_handlers={HeadgateError: _refused, HTTPException: _no_such},
    )


class _Door:
    def __init__(self, waiting: Waiting, max_body: int) -> None:
        self._waiting = waiting
        self._max_body = max_body

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "serving"})

    async def ask(self, request: Request) -> Response:
        address, headers = await self._admitted(request), request.headers
        data, media_type = await self._data(request)
        event = Event(
            id=headers.get("idempotency-key") or headers.get("ce-id") or str(uuid.uuid4()),
            type=headers.get("ce-type") or request.query_params.get("type") or EVENT_TYPE,
            subject=headers.get("ce-subject", ""),
            data=data,
            datacontenttype=media_type,
            traceparent=headers.get("traceparent", ""),
            extensions={"tracestate": state} if (state := headers.get("tracestate")) else None,
            time_us=_time(headers.get("ce-time", "")),
        )
        reply = await self._waiting.ask(address, event, _seconds(request))
        return _replied(address, event.id, reply)

    async def reply(self, request: Request) -> Response:
        address, request_id = await self._admitted(request), request.query_params.get("id", "")
        if not request_id:
            message = "which request? Give ?id=..."
            raise BadRequestError(message)
        reply = await self._waiting.reply(address, request_id, _seconds(request, default=0.0))
        return _replied(address, request_id, reply)

    async def look(self, request: Request) -> Response:
        address = await self._admitted(request)
        found = await self._waiting.look(address, at_least=_at_least(request))
        return JSONResponse(report_view(found))

    async def query(self, request: Request) -> Response:
        address, at_least = await self._admitted(request), _at_least(request)
        data, media_type = await self._data(request)
        name = request.query_params.get("name", "")
        question = QueryRequest(name=name, data=data, datacontenttype=media_type)
        reply = await self._waiting.query(address, question, at_least=at_least)
        return Response(reply.data, media_type=reply.datacontenttype or "application/json")

    async def signal(self, request: Request) -> Response:
        address = await self._admitted(request)
        data, media_type = await self._data(request)
        name = request.query_params.get("name", "")
        if len(name) > MAX_ATTRIBUTE_CHARS:
            message = f"the signal's name has {len(name)} characters, of {MAX_ATTRIBUTE_CHARS}"
            raise BadRequestError(message)
        given = Signal(
            name=name,
            signal_id=request.headers.get("idempotency-key") or str(uuid.uuid4()),
            data=data,
            datacontenttype=media_type,
        )
        await self._waiting.signal(address, given)
        return JSONResponse({"address": address, "signal_id": given.signal_id}, 202)

    async def start(self, request: Request) -> Response:
        address = await self._admitted(request)
        data, media_type = await self._data(request)
        await self._waiting.start(address, data, media_type)
        return await self._told(address, _seconds(request, default=0.0))

    async def workflow(self, request: Request) -> Response:
        address = await self._admitted(request)
        if "text/event-stream" in request.headers.get("accept", ""):
            seen = request.headers.get("last-event-id", "")
            after = int(seen) if _is_number(seen) else -1
            events = _events(self._waiting.progress(address, after))
            return StreamingResponse(
                events, media_type="text/event-stream", headers={"cache-control": "no-cache"}
            )
        return await self._told(address, _seconds(request, default=0.0))

    async def cancel(self, request: Request) -> Response:
        from headgate.sdk.workflow.steps import CANCEL

        _refuse_other_sites(request)
        address = await self._admitted(request)
        signal_id = request.headers.get("idempotency-key") or str(uuid.uuid4())
        await self._waiting.signal(address, Signal(name=CANCEL, signal_id=signal_id))
        return await self._told(address, _seconds(request, default=0.0))

    async def _admitted(self, request: Request) -> str:
        """Return the address that a caller asks about, if it may. Each route begins with it."""
        key = request.path_params["key"]
        # The route's pattern has dropped a line break at the end: that is another key.
        if len(key) > MAX_KEY_CHARS or request.scope["path"].endswith("\n"):
            message = f"a key has at most {MAX_KEY_CHARS} characters, and no line break at its end"
            raise BadRequestError(message)
        address = address_of(request.path_params["type"], key)
        return await self._waiting.admit(request.headers.get("authorization", ""), address)

    async def _told(self, address: str, seconds: float) -> Response:
        seen = await self._waiting.workflow(address, seconds)
        return JSONResponse(seen, 200 if seen["status"] in ENDED else 202)

    async def _data(self, request: Request) -> tuple[bytes, str]:
        """Return body and media type; JSON is checked, for its agent could only fail on it."""
        _refuse_other_sites(request)
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_body:
                message = f"the body has more than {self._max_body} bytes, limits.max_record"
                raise BadRequestError(message)
            parts.append(part)
        body = b"".join(parts)
        media_type = request.headers.get("content-type", "")
        # What curl and HTML forms say when nobody said anything.
        if media_type == "application/x-www-form-urlencoded":
            media_type = ""
        if body and is_json(media_type):
            try:
                json.loads(body)
            except (ValueError, RecursionError) as error:
                message = f"the body is not JSON: {error}; other data needs its Content-Type"
                raise BadRequestError(message) from error
        return body, media_type


async def _events(progress: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    """Frame what is told as server-sent events; their ids are turns, to go on from."""
    try:
        async for seen in progress:
            kind = "end" if seen["status"] in ENDED else "progress"
            text = json.dumps(seen, ensure_ascii=False)
            yield f"id: {seen['turn']}\nevent: {kind}\ndata: {text}\n\n"
    except HeadgateError as error:
        # The status has been sent. A browser connects again, and goes on.
        yield f": {' '.join(str(error).split())}\n\n"


def _refuse_other_sites(request: Request) -> None:
    """Refuse what a page of another site has a browser send: it reaches loopback, as its user."""
    origin = request.headers.get("origin", "")
    if origin and origin.partition("://")[2] != request.headers.get("host", ""):
        message = f"pages of {origin} may not ask here"
        raise ForbiddenError(message)


def _time(text: str) -> int:
    """The event's own time, microseconds; 0 where none is given."""
    if not text:
        return 0
    try:
        return time_us_of(text)
    except ValueError as error:
        message = f"ce-time {text!r} is not RFC 3339: {error}"
        raise BadRequestError(message) from error


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS


def _at_least(request: Request) -> int:
    text = request.query_params.get("at_least", "0")
    if not _is_number(text):
        message = f"at_least is {text[:40]!r}; it is the number of a turn"
        raise BadRequestError(message)
    return int(text)


def _seconds(request: Request, default: float = DEFAULT_SECONDS) -> float:
    """How long the caller wants to wait: `Prefer: wait=10` or `respond-async` (RFC 7240)."""
    prefer = request.headers.get("prefer", "")
    seconds = seconds_asked(prefer)
    if seconds is not None:
        return seconds
    return 0.0 if "respond-async" in prefer else default


def _replied(address: str, request_id: str, reply: Reply | None) -> Response:
    if reply is None:
        from urllib.parse import quote

        place = f"/requests/{quote(address)}?id={quote(request_id, safe='')}"
        shown = {"address": address, "request_id": request_id, "status": "pending"}
        return JSONResponse(shown, 202, {"location": place, "retry-after": "1"})
    view = reply_view(reply)
    status = _STATUS[view["status"]]
    return JSONResponse(view, _GIVEN_UP.get(reply.given_up, status) if reply.given_up else status)


async def _refused(request: Request, error: Exception) -> Response:
    status, code = next((status, code) for kind, status, code in _ERRORS if isinstance(error, kind))
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": {"code": code, "message": str(error)}}, status, headers)


async def _no_such(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = (
        "POST or GET /agents/TYPE/KEY, GET /requests/TYPE/KEY?id=, GET /queries/TYPE/KEY?name=, "
        "POST /signals/TYPE/KEY?name=, "
        "POST, GET or DELETE /workflows/TYPE/KEY, GET /health"
    )
    return JSONResponse({"error": {"code": "no_such_route", "message": message}}, status)
