"""The [agents.NAME] tables: where an agent service listens and how its turns are tried."""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from headgate.config.connections import (
    BreakerConfig,
    Burst,
    Concurrency,
    Rate,
    TlsConfig,
    TokenConfig,
)
from headgate.config.durations import format_duration
from headgate.config.fields import Count, Duration, Section, Size
from headgate.config.money import Amount, TenantName

_HOST_PORT = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65_535


def is_host_port(text: str) -> bool:
    """Whether `text` is host:port, with IPv6 addresses in brackets."""
    match = _HOST_PORT.fullmatch(text)
    return match is not None and 0 < int(match["port"]) <= _HIGHEST_PORT


def stays_on_this_machine(endpoint: str) -> bool:
    """Whether a valid endpoint is a socket file or on loopback."""
    if endpoint.startswith("unix:"):
        return True
    host = endpoint.removeprefix("dns:///").rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or re.fullmatch(r"127\.[0-9.]+", host) is not None


def _check_endpoint(text: str) -> str:
    if "://" in text and not text.startswith("dns:///"):
        message = f"must be host:port without a scheme, such as localhost:7070, not {text!r}"
        raise ValueError(message)
    is_socket = text.startswith("unix:") and len(text) > len("unix:")
    if is_socket or is_host_port(text.removeprefix("dns:///")):
        return text
    message = f"must be host:port, dns:///host:port or unix:path, not {text!r}"
    raise ValueError(message)


AgentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=63)]
Endpoint = Annotated[str, AfterValidator(_check_endpoint)]


class BackoffConfig(Section):
    """The pause before attempt n+1: initial * multiplier^(n-1), at most max.

    jitter: the share of the pause, 0 to 1, by which it varies from instance to instance.
    """

    initial: Duration = timedelta(milliseconds=200)
    max: Duration = timedelta(seconds=30)
    multiplier: float = Field(default=2.0, ge=1, le=100, strict=True, allow_inf_nan=False)
    jitter: float = Field(default=0.2, ge=0, le=1, strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.max < self.initial:
            longest, first = format_duration(self.max), format_duration(self.initial)
            message = f"max ({longest}) is shorter than initial ({first})"
            raise ValueError(message)
        return self


class PolicyConfig(Section):
    """How the turns of one agent type are called, tried again and given up.

    deadline: of one attempt. max_attempts: counted for the head event. max_batch: events a turn.
    on_exhausted: what happens to an event after its last attempt.
    max_state: an instance's state, encoded. log_window: newest items of each appended list that
        a request carries.
    state_ttl: an instance that has been idle for so long loses its state. mailbox_limit: events
        that may wait for one instance. on_full: what becomes of one beyond it.
    dedup_window_count, dedup_window: as in [limits], for this agent type alone.
    """

    deadline: Duration = timedelta(seconds=30)
    max_attempts: Annotated[Count, Field(le=2**31 - 1)] = 5
    backoff: BackoffConfig = BackoffConfig()
    max_batch: Annotated[Count, Field(le=10_000)] = 64
    on_exhausted: Literal["dead_letter", "park"] = "dead_letter"
    max_state: Size = 4_000_000
    log_window: Annotated[Count, Field(le=1_000_000)] = 1_000
    state_ttl: Annotated[Duration, Field(ge=timedelta(seconds=1))] | None = None
    mailbox_limit: Annotated[Count, Field(le=2**31 - 1)] | None = None
    on_full: Literal["dead_letter", "hold_back"] = "dead_letter"
    dedup_window_count: Annotated[Count, Field(le=2**31 - 1)] | None = None
    dedup_window: Duration | None = None
    concurrency: Concurrency | None = None
    rate: Rate | None = None
    burst: Burst | None = None
    breaker: BreakerConfig = BreakerConfig()

    @model_validator(mode="after")
    def _check_burst(self) -> Self:
        if self.burst is not None and self.rate is None:
            message = "burst without rate bounds nothing: name both"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _check_full(self) -> Self:
        if self.on_full == "hold_back" and self.mailbox_limit is None:
            message = "on_full = 'hold_back' without mailbox_limit never holds back: name both"
            raise ValueError(message)
        return self


class AgentConfig(Section):
    """One agent type: the gRPC targets of its services, how they are reached, and its policy.

    replicas: further endpoints of the same service; calls go to the least busy.
    wire: what they speak.
    tenant: whose its instances are. tenant_before: instead, what stands before this text in an
        instance's key. estimate: what an event is taken to cost before it was tried.
    """

    endpoint: Endpoint
    replicas: tuple[Endpoint, ...] = ()
    wire: Literal["headgate", "a2a"] = "headgate"
    tls: TlsConfig | None = None
    token: TokenConfig | None = None
    policy: PolicyConfig = PolicyConfig()
    tenant: TenantName | None = None
    tenant_before: Annotated[str, Field(min_length=1, max_length=10)] | None = None
    estimate: Amount | None = None

    @model_validator(mode="after")
    def _check_tenant(self) -> Self:
        if self.tenant is not None and self.tenant_before is not None:
            message = "name either tenant or tenant_before"
            raise ValueError(message)
        return self
