"""What stands before every page: who may ask, from where, and what a browser may do with the
answer.

Rules:
- `Host` must name the console: a page of another site that had its name point at loopback (DNS
  rebinding) has a browser send its own.
- With a token, only a session that was opened with it sees more than the login page. With a proxy
  header, only requests that bear it: whoever can reach the console without the proxy can write it,
  so listen where only the proxy is.
- What changes something is a POST that carries the session's form token; a cookie alone, which a
  browser sends by itself, is not enough. Read-only refuses all of them.
- A session is a random name, the time when it ends and a signature; its key is derived from the
  token, so that another token ends all sessions, and a restart none. Without a token the key lives
  as long as the process.
- No page runs a script of another site, or one that is written in the page: what agents say is
  data.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

COOKIE = "headgate_session"
SESSION_SECONDS = 12 * 3_600
"""A working day: nobody is asked twice in it."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask, and for what.

    hosts: names that `Host` may have, beside those of loopback. token: "" asks for none.
    proxy_header: the header in which a reverse proxy names the user; "" for none.
    """

    token: str = ""
    proxy_header: str = ""
    hosts: frozenset[str] = frozenset()
    read_only: bool = False


class Sessions:
    """Opens sessions and knows them again. Times in seconds since the epoch."""

    def __init__(self, token: str = "") -> None:
        """token: what opens them; "" for none, and everybody has one."""
        self._token = token
        self._key = (
            hashlib.sha256(b"headgate-ui\0" + token.encode()).digest()
            if token
            else secrets.token_bytes(32)
        )

    def open(self, given: str, now: float | None = None) -> str | None:
        """Return a session for a token, None if it is another one."""
        # Digests: a comparison of texts may tell how long the right one is.
        ours, theirs = (hashlib.sha256(each.encode()).digest() for each in (self._token, given))
        return self.made(now) if hmac.compare_digest(ours, theirs) else None

    def made(self, now: float | None = None) -> str:
        """Return a new session."""
        ends = int((time.time() if now is None else now) + SESSION_SECONDS)
        name = f"{secrets.token_urlsafe(18)}.{ends}"
        return f"{name}.{self._signed('session', name)}"

    def is_good(self, session: str, now: float | None = None) -> bool:
        """Tell whether a session is one of ours, and has not ended."""
        name, _, signature = session.rpartition(".")
        if not hmac.compare_digest(self._signed("session", name).encode(), signature.encode()):
            return False
        return int(name.rpartition(".")[2]) > (time.time() if now is None else now)

    def form_token(self, session: str) -> str:
        """Return what a form of this session carries."""
        return self._signed("form", session)

    def is_form_token(self, session: str, given: str) -> bool:
        """Tell whether a form is of this session."""
        return hmac.compare_digest(self.form_token(session).encode(), given.encode())

    def _signed(self, what: str, text: str) -> str:
        return hmac.new(self._key, f"{what}\0{text}".encode(), hashlib.sha256).hexdigest()


def host_of(header: str) -> str:
    """Return the name in a `Host` header, without its port.

    >>> host_of("localhost:7060"), host_of("[::1]:80")
    ('localhost', '::1')
    """
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def is_our_host(header: str, access: Access) -> bool:
    """Tell whether a `Host` header names the console."""
    return host_of(header) in LOOPBACK | access.hosts


def is_same_site(origin: str, host: str) -> bool:
    """Tell whether a POST comes from a page of ours: what names another origin does not."""
    return not origin or origin.partition("://")[2] == host
