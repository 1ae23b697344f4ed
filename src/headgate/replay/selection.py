"""Which turns are meant, and where they are read: the history store for what happened, Kafka for
what the events held. Nothing is written anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.core.identity import address_of
from headgate.core.render import rfc3339
from headgate.errors import HeadgateError
from headgate.history.client import HistoryClient
from headgate.kafka.span import Spans
from headgate.replay.payloads import Payloads
from headgate.replay.recorded import LeftOut, RecordedTurn
from headgate.replay.recording import Span, record
from headgate.v1.history_pb2 import StateAsOf

_NO_VALUES = ("-",)
"""Only the addresses are wanted of a snapshot: no value of this name is likely."""


class NoTurnsError(HeadgateError):
    """There are no turns of the kind that is asked for.

    Operator action: correct the agent type, the keys or the times; `headgate state snapshot --type
    TYPE` shows which instances there are, `headgate history status` how far the store is.
    """


class Snapshots(Protocol):
    """The states of all instances at a moment, as `HistoryClient` yields them."""

    def snapshot(
        self, *, at_us: int = 0, agent_type: str = "", only: tuple[str, ...] = ()
    ) -> Iterator[StateAsOf]:
        """Yield states."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The instances whose turns are meant, and those turns, which can be read once."""

    addresses: Sequence[str]
    turns: Iterator[RecordedTurn | LeftOut]


def moved_since(history: Snapshots, agent_type: str, from_us: int) -> list[str]:
    """Return the instances of a type that have taken turns since a moment, in order; 0: ever.

    By two snapshots, the second of the newest closed moment: of a million instances few have moved,
    and to ask each for its turns takes minutes.
    """
    turns = _turns_of(history.snapshot(agent_type=agent_type, only=_NO_VALUES))
    if from_us > 1 and turns:
        then = history.snapshot(at_us=from_us - 1, agent_type=agent_type, only=_NO_VALUES)
        for address, turn in _turns_of(then).items():
            if turns.get(address) == turn:
                del turns[address]
    return sorted(turns)


def _turns_of(states: Iterable[StateAsOf]) -> dict[str, int]:
    return {address_of(each.agent_type, each.key): each.turn for each in states}


@contextmanager
def select(
    history: HistoryClient,
    bootstrap: Bootstrap,
    config: Config,
    agent_type: str,
    *,
    keys: Sequence[str] = (),
    span: Span,
) -> Iterator[Selected]:
    """Find the turns of an agent type's instances; of these keys only, if there are any.

    Raises:
        NoTurnsError: no instance of the type has taken a turn.
        HeadgateError: history or Kafka cannot be read.
    """
    closed_us = history.position().closed_us
    if span.from_us > closed_us:
        until = f"all turns until {rfc3339(closed_us)} are known" if closed_us else "none is known"
        message = f"turns since {rfc3339(span.from_us)} are asked for, {until} yet; wait a second"
        raise NoTurnsError(message)
    addresses = [address_of(agent_type, key) for key in dict.fromkeys(keys)]
    if not addresses:
        addresses = moved_since(history, agent_type, span.from_us)
    if not addresses:
        since = f" since {rfc3339(span.from_us)}" if span.from_us else ""
        message = (
            f"the history knows no instance of {agent_type!r} that has taken a turn{since}; "
            "`headgate state snapshot` shows all there are, a second or two after their first turns"
        )
        raise NoTurnsError(message)
    with Spans(bootstrap, is_read_committed=False) as spans:
        payloads = Payloads(bootstrap, config, spans)
        yield Selected(addresses, record(history, payloads, addresses, span))
