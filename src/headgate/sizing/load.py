"""The load that a size is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.core.dedup import DEFAULT_WINDOW_COUNT, DEFAULT_WINDOW_MS

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in, and what a turn does.

    changed_bytes: what a turn writes into the state. output_bytes: what it puts out. Retentions in
    seconds; of journal, inbox, outbox and the events' own topics, and of the history.
    """

    turns_per_second: float
    call_seconds: float = 1.0
    state_bytes: int = 4_000
    event_bytes: int = 1_000
    output_bytes: int = 1_000
    changed_bytes: int = 1_000
    instances: int = 10_000
    burst: float = 2.0
    checkpoint_seconds: float = 1.0
    retention_seconds: float = 7 * DAY_SECONDS
    history_seconds: float = 30 * DAY_SECONDS
    replication: int = 3
    endpoint_concurrency: int = 1_000
    max_batch: int = 64

    @property
    def remembered(self) -> float:
        """Events of an instance that the dedup window holds: those of ten minutes, 1,000 at most.

        An instance that rests keeps those of its last ten minutes, and has taken at least one.
        """
        in_window = self.turns_per_second / self.instances * DEFAULT_WINDOW_MS / 1_000
        return min(float(DEFAULT_WINDOW_COUNT), max(1.0, in_window))
