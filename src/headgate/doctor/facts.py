"""What the rules look at: a deployment as it is, gathered once, without a client in it.

A part that could not be looked at is None (or empty), and `Facts.unchecked` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from headgate.config import Config


class Severity(StrEnum):
    """error: something does not work, or is lost for sure. warning: it will hurt on a bad day."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is configured so that it hurts. rule: its name, the same in each version."""

    severity: Severity
    rule: str
    what: str
    why: str
    cure: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Checks that were not made."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic at the broker. in_sync: the least of any partition; leaderless: partitions."""

    name: str
    partitions: int
    replicas: int
    in_sync: int
    leaderless: int
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kafka:
    """The brokers. settings: of the first one that told; job_topics: what the job reads, if known.

    is_local: they are on this machine, where a single part is no risk that anyone overlooked.
    """

    brokers: int
    is_local: bool
    topics: Mapping[str, Topic]
    settings: Mapping[str, str] = field(default_factory=dict)
    job_topics: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TaskManager:
    """A TaskManager and its slots."""

    name: str
    slots: int
    free: int


@dataclass(frozen=True, slots=True)
class Job:
    """The job as Flink runs it. Seconds; attempts: how the newest checkpoints ended, newest first.

    failures: causes of the last ten minutes, newest first. gates: by TaskManager, how many subtasks
    of Gate run there: as many slots has this job of its own.
    """

    id: str
    state: str
    parallelism: int
    interval_seconds: float
    state_backend: str
    storage: str
    keeps_checkpoints: bool
    attempts: tuple[str, ...] = ()
    slowest_seconds: float = 0.0
    failures: tuple[str, ...] = ()
    gates: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flink:
    """The cluster. settings: the JobManager's configuration."""

    version: str
    task_managers: tuple[TaskManager, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A checkpoint or savepoint that somebody may want to restore."""

    path: str
    age_seconds: float
    is_savepoint: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a clock is ahead of this machine's, at least: what may be delay is taken off."""

    whose: str
    ahead_seconds: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service of an agent. problem: why it takes no turns; empty if it does."""

    agent: str
    endpoint: str
    problem: str
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A part that is asked. problem: why it is of no use; empty if it is. settings: of Redis.
    waits: why it answers, and does not go on; empty if it does.
    """

    name: str
    address: str
    problem: str
    settings: Mapping[str, str] = field(default_factory=dict)
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. away: Kafka and Flink, where they were named and do not answer. keys: what is
    wrong with the keys of encryption here, empty if nothing.
    """

    config: Config
    kafka: Kafka | None = None
    flink: Flink | None = None
    restore_points: tuple[RestorePoint, ...] = ()
    clocks: tuple[Clock, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    services: tuple[Service, ...] = ()
    away: tuple[Service, ...] = ()
    keys: str = ""
    unchecked: tuple[Unchecked, ...] = ()
