"""What came of a form: told once on the next page, by a cookie that only the console writes."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headgate.errors import HeadgateError

COOKIE = "headgate_said"
MOST_CHARS = 600


class FormError(HeadgateError):
    """A form cannot be done as it was filled in.

    Operator action: correct the field that the message names.
    """


def field(request: Request, name: str) -> str:
    """Return a field of the form, trimmed; "" if it has none."""
    values = request.state.form.get(name, [""])
    return str(values[0]).strip()


def refuse(message: str) -> NoReturn:
    """Refuse a form.

    Raises:
        FormError: always.
    """
    raise FormError(message)


def done(request: Request, said: str, link: str, *, is_error: bool = False) -> Response:
    """Return the way to the page that shows what came of a form, and says so."""
    back = field(request, "back") if hasattr(request.state, "form") else ""
    # Only to pages of ours: "//" and "\\" begin other sites' addresses.
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = RedirectResponse(back if is_ours else link, 303)
    kind = "e" if is_error else "i"
    answer.set_cookie(
        COOKIE,
        quote(kind + said[:MOST_CHARS], safe=""),
        max_age=60,
        httponly=True,
        samesite="strict",
    )
    return answer


def take_said(request: Request) -> tuple[str, str] | None:
    """Return what is to be told on this page, with its kind ("error" or "info")."""
    text = unquote(request.cookies.get(COOKIE, ""))
    return None if not text else ("error" if text[0] == "e" else "info", text[1:])


def forget_said(answer: Response) -> None:
    """It was told."""
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
