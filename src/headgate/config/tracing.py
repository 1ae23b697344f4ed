"""What headgate.toml says of traces and logs: which traces are recorded, where spans go, how logs
are written.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from headgate.config.fields import Section

_URL = re.compile(r"https?://[^\s/@?#]+(/[^\s?#]*)?")


def _check_url(text: str) -> str:
    if _URL.fullmatch(text):
        return text
    # Somebody may have put a password into it: it is not repeated.
    message = "must be http://HOST:PORT or https://HOST:PORT; secrets go into headers_file"
    raise ValueError(message)


class TracingConfig(Section):
    """Traces, and the OTLP collector that `headgate trace export` sends spans to.

    ratio: of the traces that begin in Headgate, how many are recorded, 0 to 1. endpoint: the
        collector's; https:// uses TLS. headers_file: a file with NAME=VALUE lines that go with
        every export. What is not set here, the environment says (OTEL_EXPORTER_OTLP_ENDPOINT and
        all others of the specification), else OpenTelemetry's defaults.
    """

    ratio: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] = 1.0
    endpoint: Annotated[str, AfterValidator(_check_url)] | None = None
    protocol: Literal["grpc", "http/protobuf"] | None = None
    headers_file: Annotated[str, Field(min_length=1)] | None = None
    service: Annotated[str, Field(min_length=1)] | None = None


class LoggingConfig(Section):
    """How logs are written: lines for people, or one JSON object each."""

    format: Literal["text", "json"] = "text"
