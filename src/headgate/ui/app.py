"""The console as one application: pages, news, static files, and the gatekeeper before them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from headgate.cli.letters import NoLetterError
from headgate.cli.registered import UnknownAgentError
from headgate.errors import HeadgateError
from headgate.history.errors import MomentError, NeverSeenError, NotClosedError, RemovedError
from headgate.ui import live
from headgate.ui.desk import Desk
from headgate.ui.gatekeeper import Gatekeeper
from headgate.ui.guard import Access, Sessions
from headgate.ui.pages import (
    agents,
    cluster,
    cost,
    instances,
    letters,
    login,
    overview,
    records,
    workflows,
)
from headgate.ui.render import render
from headgate.ui.saying import FormError, done

_STATIC = Path(__file__).with_name("static")
_STATUS: tuple[tuple[type[HeadgateError], int], ...] = (
    (FormError, 400),
    (MomentError, 400),
    (NeverSeenError, 404),
    (UnknownAgentError, 404),
    (NoLetterError, 404),
    (records.NoRecordError, 404),
    (NotClosedError, 409),
    (RemovedError, 410),
    (HeadgateError, 503),
)


def make_app(desk: Desk, access: Access, stopping: asyncio.Event | None = None) -> ASGIApp:
    """Return the application. stopping: set, it ends the open streams of news."""
    sessions = Sessions(access.token)
    pages = (overview, agents, instances, workflows, letters, cost, cluster, records)
    app = Starlette(
        routes=[
            *(route for page in pages for route in page.routes(desk)),
            *login.routes(sessions),
            *live.routes(desk.watch, stopping or asyncio.Event()),
            Route("/health", _health),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        exception_handlers={
            HeadgateError: _refused,
            HTTPException: _no_such,
            Exception: _broken,
        },
    )
    return Gatekeeper(app, access, sessions)


async def _health(request: Request) -> Response:
    return PlainTextResponse("serving")


async def _refused(request: Request, error: Exception) -> Response:
    """A form goes back to where it was filled in, with what is wrong; a page says it."""
    if request.method == "POST":
        # Attaching leads on to the new agent's page, so its form names no page to come back to.
        link = "/agents" if request.url.path == "/agents" else "/"
        return done(request, str(error), link, is_error=True)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return render(request, "error.html", status, message=str(error), title=_title(status))


async def _no_such(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = "There is no such page." if status == 404 else str(getattr(error, "detail", error))
    return render(
        request, "error.html", status, message=message, title=_title(status), living=False
    )


async def _broken(request: Request, error: Exception) -> Response:
    """A defect of the console's: its log has the trace, a page has none."""
    message = f"The console failed ({type(error).__name__}); its log says where."
    return render(request, "error.html", 500, message=message, title=_title(500), living=False)


def _title(status: int) -> str:
    return {400: "That cannot be asked", 404: "Not found", 500: "Broken", 503: "Not there now"}.get(
        status, "Not possible"
    )
