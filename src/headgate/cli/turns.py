"""Which past turns a command means: options that `record` and `replay` share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.look import plain, problems
from headgate.cli.past import moment_of
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.cli.broker import Broker
    from headgate.replay.player import Way
    from headgate.replay.recorded import LeftOut
    from headgate.replay.recording import Span

KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="KEY", help="Only this instance. Repeat for more. Default: all of them."
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Turns since then: how long ago (2h), or a time (2026-11-25T10:30:00Z).",
        show_default=False,
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help="And until then. Default: now.", show_default=False),
]

LEFT_OUT_SHOWN = 20
"""Turns that are told one by one; where a topic's beginning is gone there are thousands."""

_AGENT_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class TurnsError(HeadgateError):
    """Which turns are meant is said wrongly.

    Operator action: the message says what to give.
    """


def read_agent_type(text: str) -> str:
    """Return an agent type; raises TurnsError."""
    if not _AGENT_TYPE.fullmatch(text):
        agent_type, slash, key = text.partition("/")
        hint = f"; write --agent {agent_type} --key {key}" if slash else ""
        message = f"--agent {text!r} is no agent type{hint}"
        raise TurnsError(message)
    return text


def read_span(start: str | None, end: str | None) -> Span:
    """Return a span of time; raises TurnsError and MomentError."""
    from headgate.replay.recording import Span

    span = Span(moment_of(start), moment_of(end))
    if span.to_us and span.to_us < span.from_us:
        message = f"--to {end} is before --from {start}"
        raise TurnsError(message)
    return span


def way_to(broker: Broker, agent_type: str, endpoint: str) -> Way:
    """Return how calls to an agent type are made, but to this endpoint: as the registry has it,
    else as agents are attached by default.
    """
    from headgate.cli.registered import read
    from headgate.config import AgentConfig
    from headgate.core.service import service_bytes
    from headgate.kafka.specs import spec_of
    from headgate.replay.player import Way

    spec = read(broker).specs.get(agent_type)
    if spec is None:
        config = AgentConfig(endpoint=endpoint)
        spec = spec_of(agent_type, config, broker.config.limits)
    return Way(spec.policy, endpoint, service_bytes(spec, [endpoint]))


def tell_left_out(left_out: Sequence[LeftOut]) -> None:
    """Say beside the answer which turns cannot be read any more."""
    for each in left_out[:LEFT_OUT_SHOWN]:
        problems.print(
            f"[yellow]left out:[/] turn {each.number} of {plain(each.address)}: {plain(each.why)}",
            highlight=False,
        )
    if len(left_out) > LEFT_OUT_SHOWN:
        problems.print(f"[yellow]left out:[/] {len(left_out) - LEFT_OUT_SHOWN:,} more")
