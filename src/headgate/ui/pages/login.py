"""Logging in with the token, and out."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from headgate.ui.gatekeeper import cookie_of
from headgate.ui.guard import Sessions
from headgate.ui.render import render
from headgate.ui.saying import field

WRONG_SECONDS = 1.0
"""Before a wrong token is answered: guessing goes by no faster than that on one connection."""


def routes(sessions: Sessions) -> list[Route]:
    """Return the pages' routes."""

    async def login(request: Request) -> Response:
        return render(request, "login.html", living=False, is_wrong=False)

    async def open_session(request: Request) -> Response:
        session = sessions.open(field(request, "token"))
        if session is None:
            await asyncio.sleep(WRONG_SECONDS)
            return render(request, "login.html", 403, living=False, is_wrong=True)
        return _to("/", cookie_of(session, request))

    async def close_session(request: Request) -> Response:
        return _to("/login", cookie_of("", request))

    return [
        Route("/login", login),
        Route("/login", open_session, methods=["POST"]),
        Route("/logout", close_session, methods=["POST"]),
    ]


def _to(path: str, cookie: str) -> Response:
    return RedirectResponse(path, 303, {"set-cookie": cookie})
