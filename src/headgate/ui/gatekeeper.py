"""`guard`'s rules, applied to requests: an ASGI application before the pages'."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.ui.guard import (
    COOKIE,
    HEADERS,
    SESSION_SECONDS,
    Access,
    Sessions,
    is_our_host,
    is_same_site,
)

BODY_BYTES = 1_000_000
"""Of a form: the largest replays a page full of dead letters."""
OPEN_PATHS = ("/static/", "/login", "/health")
"""What a browser needs before it has a session."""


class Gatekeeper:
    """Lets through what may pass; puts the session and the form's fields into the request's
    state.
    """

    def __init__(self, app: ASGIApp, access: Access, sessions: Sessions) -> None:
        """app: the pages."""
        self._app = app
        self._access = access
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        session = request.cookies.get(COOKIE, "")
        is_new = not self._sessions.is_good(session)
        if is_new and not self._access.token:
            session = self._sessions.made()
        state = scope.setdefault("state", {})
        state["session"], state["form_token"] = session, self._sessions.form_token(session)
        state["form"] = {}
        state["can_log_out"] = bool(self._access.token) and not is_new
        state["read_only"] = self._access.read_only
        state["user"] = request.headers.get(self._access.proxy_header or "-", "")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                if is_new and not self._access.token:
                    headers.append("set-cookie", cookie_of(session, request))
            await send(message)

        refused = await self._refused(request, is_known=not is_new)
        await (refused or self._app)(scope, receive, guarded)

    async def _refused(self, request: Request, *, is_known: bool) -> Response | None:
        access, path = self._access, request.url.path
        # Probes of an orchestrator know an address alone, and learn nothing.
        if path != "/health" and not is_our_host(request.headers.get("host", ""), access):
            message = (
                "this console is not known by that name; ui.hosts in headgate.toml lists its names"
            )
            return PlainTextResponse(message, 421)
        is_open = path.startswith(OPEN_PATHS)
        if access.proxy_header and not request.state.user and path != "/health":
            return PlainTextResponse("the reverse proxy has named no user", 401)
        if access.token and not is_known and not is_open:
            if request.method in {"GET", "HEAD"} and "hx-request" not in request.headers:
                return RedirectResponse("/login", 303)
            return PlainTextResponse("log in first", 401)
        if request.method in {"GET", "HEAD"}:
            return None
        return await self._refused_post(request)

    async def _refused_post(self, request: Request) -> Response | None:
        if not is_same_site(request.headers.get("origin", ""), request.headers.get("host", "")):
            return PlainTextResponse("pages of other sites may not do that", 403)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES:
                return PlainTextResponse(f"a form has at most {BODY_BYTES} bytes", 413)
        form = parse_qs(
            body.decode(errors="replace"), keep_blank_values=True, max_num_fields=10_000
        )
        request.state.form = form
        if request.url.path == "/login":
            return None
        given = form.get("form_token", [""])[0] or request.headers.get("x-form-token", "")
        if not self._sessions.is_form_token(request.state.session, given):
            return PlainTextResponse("the form is of another session: load the page again", 403)
        if self._access.read_only and request.url.path != "/logout":
            return PlainTextResponse("this console is read-only: nothing was done", 403)
        return None


def cookie_of(session: str, request: Request) -> str:
    """Return the header that has a browser keep a session, or forget it where it is ""."""
    secure = "; Secure" if request.url.scheme == "https" else ""
    age = SESSION_SECONDS if session else 0
    return f"{COOKIE}={session}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
