"""The web console, as headgate.toml says it. The token is named, never written."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from headgate.config.connections import Path, Variable
from headgate.config.fields import Section

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")


def _check_header(text: str) -> str:
    if not text or _HEADER_NAME.fullmatch(text):
        return text
    message = f"must be the name of an HTTP header, such as X-Forwarded-User, not {text!r}"
    raise ValueError(message)


def _check_url(text: str) -> str:
    if not text or (urlsplit(text).scheme in {"http", "https"} and urlsplit(text).hostname):
        return text
    message = f"must be an http:// or https:// URL, not {text!r}"
    raise ValueError(message)


class UiConfig(Section):
    """Where the console listens, whom it lets in, and what it links to.

    hosts: the names by which browsers know it, beside those of loopback. token_env, token_file:
        where the token is that opens it; the variable counts where it is set. proxy_header: in
        which a reverse proxy names the user. read_only: it changes nothing. flink: the
        JobManager's REST. trace_url: of one trace, with {trace_id} in it.
    """

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(strict=True, ge=0, le=65_535)] = 7060
    hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    token_env: Variable | None = None
    proxy_header: Annotated[str, AfterValidator(_check_header)] = ""
    read_only: Annotated[bool, Field(strict=True)] = False
    flink: Annotated[str, AfterValidator(_check_url)] = ""
    trace_url: Annotated[str, AfterValidator(_check_url)] = ""
