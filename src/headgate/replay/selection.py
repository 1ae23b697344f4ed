"""Which turns are meant, and where they are read: the history store for what happened, Kafka for
what the events held. Nothing is written anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from headgate.config import Config
from headgate.core.identity import address_of
from headgate.errors import HeadgateError
from headgate.history.client import HistoryClient
from headgate.kafka.span import Spans
from headgate.replay.payloads import Payloads
from headgate.replay.recorded import LeftOut, RecordedTurn
from headgate.replay.recording import Span, instances_of, record

_NO_VALUES = ("-",)
"""Only the addresses are wanted of a snapshot: no value of this name is likely."""


class NoTurnsError(HeadgateError):
    """There are no turns of the kind that is asked for.

    Operator action: correct the agent type, the keys or the times; `headgate state snapshot --type
    TYPE` shows which instances there are, `headgate history status` how far the store is.
    """


@dataclass(frozen=True, slots=True)
class Selected:
    """The instances whose turns are meant, and those turns, which can be read once."""

    addresses: Sequence[str]
    turns: Iterator[RecordedTurn | LeftOut]


@contextmanager
def select(
    history: HistoryClient,
    bootstrap: str,
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
    addresses = [address_of(agent_type, key) for key in dict.fromkeys(keys)]
    if not addresses:
        addresses = instances_of(history.snapshot(agent_type=agent_type, only=_NO_VALUES))
    if not addresses:
        message = (
            f"the history knows no instance of {agent_type!r}; `headgate state snapshot` shows all "
            "there are, a second or two after their first turns"
        )
        raise NoTurnsError(message)
    with Spans(bootstrap, is_read_committed=False) as spans:
        payloads = Payloads(bootstrap, config, spans)
        yield Selected(addresses, record(history, payloads, addresses, span))
