"""Templates to pages: a whole page, or its living part alone where a page asks for news of
itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse

from headgate.core import prices
from headgate.ui import charts
from headgate.ui.payload import one_line, pretty
from headgate.ui.saying import forget_said, take_said

_PAGES = (
    ("/", "Overview"),
    ("/agents", "Agents"),
    ("/instances", "Instances"),
    ("/workflows", "Workflows"),
    ("/letters", "Parked and dead letters"),
    ("/cost", "Cost"),
    ("/cluster", "Cluster"),
)


def render(request: Request, template: str, status: int = 200, **given: Any) -> HTMLResponse:
    """Return a page. given: what its template needs; `living`: whether it is renewed by itself."""
    is_part = request.headers.get("hx-request") == "true" and "hx-boosted" not in request.headers
    path = request.url.path
    context = {
        "layout": "part.html" if is_part else "page.html",
        "pages": _PAGES,
        "here": "/" if path == "/" else f"/{path.split('/')[1]}",
        "url": path + (f"?{request.url.query}" if request.url.query else ""),
        "form_token": request.state.form_token,
        "read_only": request.state.read_only,
        "can_log_out": request.state.can_log_out,
        "user": request.state.user,
        "living": True,
        "now_ms": time.time_ns() // 1_000_000,
        "said": None if is_part else take_said(request),
        **given,
    }
    answer = HTMLResponse(_TEMPLATES.get_template(template).render(context), status)
    if context["said"]:
        forget_said(answer)
    return answer


def ago(ms: int, now_ms: int) -> str:
    """Return how long ago something was.

    >>> ago(1_000, 66_000), ago(0, 5)
    ('1 min ago', '')
    """
    if not ms:
        return ""
    seconds = max(0, (now_ms - ms) // 1_000)
    return f"{lasting(seconds)} ago"


def lasting(seconds: float) -> str:
    """Return a duration in its largest unit.

    >>> lasting(59), lasting(7_200), lasting(200_000)
    ('59 s', '2 h', '2 d')
    """
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def clock(ms: int) -> str:
    """Return a time, UTC, to the second; the number where it is no time of a calendar's.

    >>> clock(1_000), clock(0), clock(2**62)
    ('1970-01-01 00:00:01Z', '', '4611686018427387904 ms')
    """
    try:
        moment = datetime.fromtimestamp(ms / 1_000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"
    return moment.strftime("%Y-%m-%d %H:%M:%SZ") if ms else ""


def latency(ms: float | None) -> str:
    """Return a latency as people compare them.

    >>> latency(4.4), latency(1_250.0), latency(None)
    ('4 ms', '1.2 s', '')
    """
    if ms is None:
        return ""
    return f"{ms:.0f} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s"


def size(count: int) -> str:
    """Return a number of bytes.

    >>> size(900), size(2_500_000)
    ('900 B', '2.5 MB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def money(nanos: int) -> str:
    """Return an amount of 1e-9 of a currency: two places, more where less would say nothing.

    >>> money(1_500_000_000), money(44_000_000), money(12_000), money(0)
    ('1.50', '0.044', '0.000012', '0')
    """
    if not nanos:
        return "0"
    return prices.money(nanos, "").rstrip()


def rate(per_second: float) -> str:
    """Return a rate per second.

    >>> rate(0), rate(0.25), rate(1234.5)
    ('0', '0.25', '1,234')
    """
    if not per_second:
        return "0"
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.2g}"


_TEMPLATES = Environment(
    loader=PackageLoader("headgate.ui"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "clock": clock,
    "latency": latency,
    "money": money,
    "one_line": one_line,
    "pretty": pretty,
    "rate": rate,
    "size": size,
    "lasting": lasting,
}
_TEMPLATES.globals |= {"ago": ago, "meter": charts.meter}
