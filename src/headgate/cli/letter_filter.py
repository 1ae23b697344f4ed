"""Which dead letters a command is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.config.durations import parse_duration
from headgate.core.patterns import compile_pattern
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import DeadLetter

IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="As `list` shows them.", show_default=False),
]
AgentOption = Annotated[
    str | None, typer.Option("--agent", metavar="TYPE", help="Only of this agent type.")
]
AddressOption = Annotated[
    str | None, typer.Option("--address", metavar="ADDRESS", help="Only of this instance.")
]
ReasonOption = Annotated[
    str | None,
    typer.Option("--reason", metavar="REASON", help="Only for this, such as not_json."),
]
TypeOption = Annotated[
    str | None,
    typer.Option("--type", metavar="PATTERN", help="Only of such events: 'shop.order.*'."),
]
TopicOption = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="Only of records of this topic.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Not older: 2h, or 2026-11-26T08:00:00Z."),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Older: as --since.")
]


class FilterError(HeadgateError):
    """A filter cannot be read.

    Operator action: correct the option that the message names.
    """


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What must hold of a letter; what is None does not matter."""

    ids: frozenset[str] = frozenset()
    agent: str | None = None
    address: str | None = None
    reason: str | None = None
    type: str | None = None
    topic: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether it lets everything through."""
        return self == LetterFilter()

    def lets_through(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is one of those that are meant."""
        return not (
            (self.ids and letter.id not in self.ids)
            or (self.agent and letter.address.partition("/")[0] != self.agent)
            or (self.address and letter.address != self.address)
            or (self.reason and letter.reason != self.reason)
            or (self.type and not compile_pattern(self.type).regex.fullmatch(letter.event_type))
            or (self.topic and letter.origin.topic != self.topic)
            or (self.since_ms is not None and letter.at_ms < self.since_ms)
            or (self.until_ms is not None and letter.at_ms >= self.until_ms)
        )


def read_filter(
    ids: list[str] | None,
    *,
    agent: str | None,
    address: str | None,
    reason: str | None,
    event_type: str | None,
    topic: str | None,
    since: str | None,
    until: str | None,
) -> LetterFilter:
    """Return the filter that options make; raises FilterError."""
    if event_type is not None:
        try:
            compile_pattern(event_type)
        except ValueError as error:
            message = f"--type: {error}"
            raise FilterError(message) from error
    return LetterFilter(
        ids=frozenset(ids or ()),
        agent=agent,
        address=address,
        reason=reason,
        type=event_type,
        topic=topic,
        since_ms=None if since is None else read_time("--since", since),
        until_ms=None if until is None else read_time("--until", until),
    )


def read_time(option: str, text: str) -> int:
    try:
        return int((datetime.now(UTC) - parse_duration(text)).timestamp() * 1_000)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{option} {text!r}: give how long ago, such as 2h, or a time in ISO 8601"
        raise FilterError(message) from error
    # Without a zone it is this machine's time, as its clock shows.
    return int(found.astimezone(UTC).timestamp() * 1_000)
