"""Turns that `headgate replay` is to put to a service: from a file, or from the past itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.cli.turns import way_to

if TYPE_CHECKING:
    from headgate.cli.broker import Broker
    from headgate.history.client import HistoryClient
    from headgate.replay.player import Way
    from headgate.replay.recorded import LeftOut, RecordedTurn
    from headgate.replay.recording import Span


@dataclass(frozen=True, slots=True)
class Given:
    """Turns of so many instances, and how they are put to a service.

    ``max_record_bytes``: the largest record that an outcome may become.
    """

    agent_type: str
    turns: Iterable[RecordedTurn | LeftOut]
    way: Way
    max_record_bytes: int
    instances: int


def from_file(file: Path, endpoint: str) -> Given:
    """Return what stands in a file; raises RecordedFileError."""
    from headgate.config import LimitsConfig
    from headgate.replay.file import read
    from headgate.replay.player import Way

    found = read(file)
    turns: list[RecordedTurn | LeftOut] = [*found.turns, *found.left_out]
    turns.sort(key=lambda turn: (turn.address, turn.number))
    instances = len({turn.address for turn in turns})
    way = Way(found.policy, endpoint)
    return Given(found.agent_type, turns, way, LimitsConfig().max_record, instances)


@contextmanager
def from_past(
    broker: Broker,
    history: HistoryClient,
    agent_type: str,
    *,
    keys: Sequence[str],
    span: Span,
    endpoint: str,
) -> Iterator[Given]:
    """Find turns in the history, and what their events held in Kafka; raises HeadgateError."""
    from headgate.replay.selection import select

    config = broker.config
    way = way_to(broker, agent_type, endpoint)
    with (
        history as asked,
        select(asked, broker.bootstrap, config, agent_type, keys=keys, span=span) as found,
    ):
        yield Given(agent_type, found.turns, way, config.limits.max_record, len(found.addresses))
