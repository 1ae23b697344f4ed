"""How an agent type's services are reached, as headgate.toml says it. Secrets are named, never
written: files and variables are those of the machines that the Python workers run on.
"""

import re
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from headgate.config.durations import format_duration
from headgate.config.fields import Count, Duration, Section

# gRPC: keys of metadata are lower case; those that begin with "grpc-" are its own, and those that
# end in "-bin" hold bytes.
_HEADER = re.compile(r"(?!grpc-)[a-z0-9_.-]{1,100}(?<!-bin)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _check_header(text: str) -> str:
    if _HEADER.fullmatch(text):
        return text
    message = f"must be a metadata key in lower case, such as x-api-key, not {text!r}"
    raise ValueError(message)


def _check_variable(text: str) -> str:
    if _VARIABLE.fullmatch(text):
        return text
    # Somebody may have put the token itself here: it is not repeated.
    message = "must be the name of an environment variable: letters, digits, _"
    raise ValueError(message)


Path = Annotated[str, Field(min_length=1)]
Variable = Annotated[str, AfterValidator(_check_variable)]


class TlsConfig(Section):
    """TLS to the endpoints; with cert_file and key_file it is mutual.

    ca_file: the authorities to trust; default: those that gRPC ships. server_name: what the
    certificate must be for, if not the endpoint's host.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            message = "cert_file and key_file belong together: name both or neither"
            raise ValueError(message)
        return self


class TokenConfig(Section):
    """A secret that goes with every call: the text in a file, or in an environment variable."""

    file: Path | None = None
    env: Variable | None = None
    header: Annotated[str, AfterValidator(_check_header)] = "authorization"
    scheme: str = "Bearer"

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.file is None) == (self.env is None):
            message = "name either file or env, where the token is"
            raise ValueError(message)
        return self


class BreakerConfig(Section):
    """When an endpoint is left out: after so many failures without a success between them.

    failures: 0 never leaves one out. pause, pause_max: the first, and the longest, time it is left
        out for; it doubles until a call succeeds.
    """

    failures: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 5
    pause: Duration = timedelta(seconds=1)
    pause_max: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.pause_max < self.pause:
            longest, first = format_duration(self.pause_max), format_duration(self.pause)
            message = f"pause_max ({longest}) is shorter than pause ({first})"
            raise ValueError(message)
        return self


Rate = Annotated[float, Field(ge=0.001, le=1e6, strict=True, allow_inf_nan=False)]
Burst = Annotated[Count, Field(le=1_000_000)]
Concurrency = Annotated[Count, Field(le=1_000_000)]
