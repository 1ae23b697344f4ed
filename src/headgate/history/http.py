"""The history over HTTP: read-only, JSON; long answers as a line of JSON for each part."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from headgate.core.identity import address_of
from headgate.errors import HeadgateError
from headgate.history.answers import Answers
from headgate.history.changes import changes_between
from headgate.history.conditions import read_where
from headgate.history.errors import (
    MomentError,
    NeverSeenError,
    NoSuchPathError,
    NotClosedError,
    RemovedError,
    said,
)
from headgate.history.times import read_moment
from headgate.history.views import (
    explanation_view,
    message_view,
    position_view,
    state_view,
    turn_view,
)
from headgate.listening import seconds_asked
from headgate.v1.history_pb2 import Condition, Moment

_ERRORS: tuple[tuple[type[Exception], int, str], ...] = (
    (MomentError, 400, "bad_request"),
    (NeverSeenError, 404, "never_seen"),
    (NoSuchPathError, 404, "no_such_path"),
    (NotClosedError, 409, "not_closed"),
    (RemovedError, 410, "removed"),
    (HeadgateError, 503, "unavailable"),
    (SQLAlchemyError, 503, "unavailable"),
)
_LINES = "application/x-ndjson"


def make_app(answers: Answers) -> Starlette:
    """Return the application."""
    history = _History(answers)
    instance = "{type}/{key:path}"
    return Starlette(
        routes=[
            Route("/health", history.health),
            Route("/position", history.position),
            Route(f"/state/{instance}", history.state),
            Route(f"/turns/{instance}", history.turns),
            Route(f"/diff/{instance}", history.diff),
            Route(f"/explain/{instance}", history.explain),
            Route("/snapshot", history.snapshot),
            Route("/in-flight", history.in_flight),
        ],
        exception_handlers={
            HeadgateError: _refused,
            SQLAlchemyError: _refused,
            HTTPException: _no_such,
        },
    )


class _History:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def health(self, request: Request) -> Response:
        problem = self._answers.problem
        if problem:
            return JSONResponse({"status": "not going on", "problem": problem}, 503)
        return JSONResponse({"status": "serving"})

    async def position(self, request: Request) -> Response:
        _known(request)
        return JSONResponse(position_view(await self._answers.position()))

    async def state(self, request: Request) -> Response:
        _known(request, "as_of", "turn", "valid_at")
        found = await self._answers.state(_address(request), _moment(request))
        return JSONResponse(state_view(found))

    async def turns(self, request: Request) -> Response:
        _known(request, "first", "last", "newest")
        first, last, newest = (_number(request, name) for name in ("first", "last", "newest"))
        found = await self._answers.turns(_address(request), first=first, last=last, newest=newest)
        return JSONResponse([turn_view(each) for each in found])

    async def diff(self, request: Request) -> Response:
        _known(request, "from", "from_turn", "to", "to_turn")
        if not request.query_params.keys() & {"from", "from_turn"}:
            message = "from what? Give from=TIME or from_turn=N"
            raise MomentError(message)
        before, after = [
            await self._answers.state(_address(request), _moment(request, side, f"{side}_turn"))
            for side in ("from", "to")
        ]
        changes = changes_between(before, after)
        return JSONResponse({"from": before.turn, "to": after.turn, "changes": changes})

    async def explain(self, request: Request) -> Response:
        _known(request, "as_of", "turn", "path")
        path = request.query_params.get("path", "")
        found = await self._answers.explain(_address(request), _moment(request), path)
        return JSONResponse(explanation_view(found))

    async def snapshot(self, request: Request) -> Response:
        _known(request, "as_of", "type", "where", "only")
        where = [Condition(path=path, equals=equals) for path, equals in _where(request)]
        only = [each for each in request.query_params.get("only", "").split(",") if each]
        agent_type = request.query_params.get("type", "")
        found = self._answers.snapshot(
            _moment(request), agent_type=agent_type, where=where, only=only
        )
        return await _lines(found, state_view)

    async def in_flight(self, request: Request) -> Response:
        _known(request, "as_of")
        return await _lines(self._answers.in_flight(_moment(request)), message_view)


async def _lines(found: AsyncGenerator[Any, None], view: Any) -> Response:
    # The first part is made before the status is sent: what is wrong is known by then.
    first = await anext(found, None)

    async def text() -> AsyncIterator[str]:
        async with aclosing(found):
            if first is not None:
                yield json.dumps(view(first), ensure_ascii=False) + "\n"
            async for each in found:
                yield json.dumps(view(each), ensure_ascii=False) + "\n"

    return StreamingResponse(text(), media_type=_LINES)


def _address(request: Request) -> str:
    return address_of(request.path_params["type"], request.path_params["key"])


def _known(request: Request, *names: str) -> None:
    """Refuse what is not known: `as_off=10m` would be answered with what is now."""
    unknown = sorted(set(request.query_params) - {*names})
    if unknown:
        message = f"{', '.join(unknown)}: not known here; there is {', '.join(names) or 'nothing'}"
        raise MomentError(message)


def _moment(request: Request, time_name: str = "as_of", turn_name: str = "turn") -> Moment:
    given = request.query_params
    if time_name in given and turn_name in given:
        message = f"{time_name} and {turn_name}: give one of them"
        raise MomentError(message)
    seconds = seconds_asked(request.headers.get("prefer", "")) or 0.0
    moment = Moment(wait_ms=int(1000 * seconds))
    now_us = time.time_ns() // 1000
    if time_name in given:
        moment.at_us = read_moment(given[time_name], now_us)
    elif turn_name in given:
        moment.turn = _number(request, turn_name)
        if not moment.turn:
            message = "turns are numbered from 1"
            raise MomentError(message)
    if "valid_at" in given:
        moment.valid_us = read_moment(given["valid_at"], now_us)
    return moment


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        message = f"{name} is {text!r}; it is a number of turns"
        raise MomentError(message)
    return int(text)


def _where(request: Request) -> list[tuple[str, str]]:
    return [read_where(each) for each in request.query_params.getlist("where")]


def _refused(request: Request, error: Exception) -> Response:
    status, code = next((status, code) for kind, status, code in _ERRORS if isinstance(error, kind))
    return JSONResponse({"error": {"code": code, "message": said(error)}}, status)


def _no_such(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = (
        "GET /state/TYPE/KEY?as_of=|turn=&valid_at=, /turns/TYPE/KEY?first=&last=&newest=, "
        "/diff/TYPE/KEY?from=|from_turn=&to=|to_turn=, /explain/TYPE/KEY?path=&as_of=|turn=, "
        "/snapshot?as_of=&type=&where=&only=, /in-flight?as_of=, /position, /health"
    )
    return JSONResponse({"error": {"code": "no_such_route", "message": message}}, status)
