"""All that the console knows at one moment: what was read of topics, services and Flink. Plain
data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AgentFact:
    """One agent type: what the registry says, what its services answer, what its turns did.

    health: the best of its endpoints': serving, not_serving, unreachable, ..., no_endpoint; ""
        before anybody has asked. busy: instances with work, None where the job has not told.
        busy_since_ms: since when some have had work without an answer. late_address, late_ms: the
        instance whose deadline passed last, and when. Latencies in milliseconds.
    """

    name: str
    state: str = "attached"
    health: str = ""
    problem: str = ""
    endpoints: tuple[str, ...] = ()
    unhealthy_since_ms: int = 0
    busy: int | None = None
    busy_since_ms: int = 0
    deadline_ms: int = 0
    rate: float = 0.0
    completed: int = 0
    failed: int = 0
    codes: tuple[tuple[str, int], ...] = ()
    late_address: str = ""
    late_ms: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    revision: str = ""
    routes: str = ""


@dataclass(frozen=True, slots=True)
class ParkedFact:
    """A parked instance."""

    address: str
    since_ms: int
    code: str
    message: str
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class LetterFact:
    """A dead letter that stands open."""

    id: str
    at_ms: int
    reason: str
    address: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Vertex:
    """One operator of the job. Shares are 0 to 1, of the busiest subtask; None where Flink has
    none.
    """

    name: str
    status: str
    parallelism: int
    busy: float | None = None
    back_pressured: float | None = None
    records_in: float = 0.0


@dataclass(frozen=True, slots=True)
class FlinkFact:
    """The job and its cluster.

    expected_task_managers: the most that were seen at once since the console started.
        silent_since_ms: the last heartbeat of a TaskManager that is registered and has stopped to
        answer; 0: all answer. restarted_ms: when the job failed last; 0: never. lag: records that
        wait in the topics, None where nobody says.
    """

    job: str = ""
    state: str = ""
    since_ms: int = 0
    task_managers: int = 0
    expected_task_managers: int = 0
    silent_since_ms: int = 0
    restarts: int = 0
    restarted_ms: int = 0
    restart_cause: str = ""
    checkpoint_ms: int = 0
    checkpoint_took_ms: int = 0
    checkpoint_bytes: int = 0
    checkpoints_failed: int = 0
    checkpoint_interval_ms: int = 1_000
    failed_checkpoint_ms: int = 0
    failed_checkpoint_why: str = ""
    lag: int | None = None
    lag_before: int | None = None
    vertices: tuple[Vertex, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetFact:
    """A budget and what is spent of it, in 1e-9 of its currency.

    refused_ms: when a turn was last refused; 0 where nobody knows. is_refusing: its limit, as it is
    now, had no room for a call in this window.
    """

    whose: str
    spent_nanos: int
    limit_nanos: int
    period: str = ""
    currency: str = ""
    refused_ms: int = 0
    is_refusing: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """One moment. now_ms: the console's clock.

    unreadable: what could not be read, by source ("Kafka", "Flink", ...), with why.
    """

    now_ms: int
    agents: tuple[AgentFact, ...] = ()
    parked: tuple[ParkedFact, ...] = ()
    letters: tuple[LetterFact, ...] = ()
    letters_open: int = 0
    flink: FlinkFact | None = None
    budgets: tuple[BudgetFact, ...] = ()
    history_behind: int | None = None
    history_problem: str = ""
    unreadable: dict[str, str] = field(default_factory=dict)
