"""What the command line says, for every scenario."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Settings of a run; `say` shows progress."""

    home: Path
    seconds: float
    warm_up_seconds: float
    rates: tuple[float, ...]
    backlog: int
    repeats: int
    peer: str | None
    peer_workers: int
    workflow_rate: float
    sleepers: int
    instances: int
    conversations: int
    calls: int
    against: Path | None
    say: Callable[[str], None]
