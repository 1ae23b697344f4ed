"""The test stand: one embedded stack, and jobs on it one after the other, each with its own topics.

A job per scenario keeps their records apart; one cluster keeps the JVMs warm between them.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from benchmarks.journal import JournalReader
from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.config.agents import AgentConfig, PolicyConfig
from headgate.config.kafka import KafkaConfig
from headgate.config.model import JobConfig, RouteConfig, TopicConfig
from headgate.local.stack import LocalStack
from headgate.local.submit import submit

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "jobs" / "agent_runtime.py"
ECHO = ROOT / "agents" / "echo" / "agent.py"
ONCE_A_TURN = ROOT / "benchmarks" / "once_a_turn.py"
DEFAULT_HOME = ROOT / ".headgate" / "bench"

Profile = Literal["low-latency", "balanced", "frugal"]


@dataclass(frozen=True)
class JobPlan:
    """A job to measure: one agent service with its policy, one topic of events."""

    label: str
    agent: str
    script: Path
    delay_ms: float
    profile: Profile = "balanced"
    parallelism: int = 1
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    # Of the script, after --port; most agents of the bench know how long a call takes.
    arguments: tuple[str, ...] | None = None
    event_type: str | None = None

    @property
    def topic(self) -> str:
        """The topic of its events."""
        return f"{self.label}-events"

    def config(self, bootstrap: Bootstrap, endpoint: str) -> Config:
        """Return its headgate.toml."""
        return Config(
            kafka=KafkaConfig(bootstrap=bootstrap.servers, prefix=self.label),
            job=JobConfig(name=self.label, profile=self.profile, parallelism=self.parallelism),
            topics=(TopicConfig(name=self.topic, format="json", type=self.event_type),),
            routes=(RouteConfig(topic=self.topic, agent=self.agent),),
            agents={self.agent: AgentConfig(endpoint=endpoint, policy=self.policy)},
        )


@dataclass(frozen=True)
class RunningJob:
    """A job that runs, and how to look at it."""

    plan: JobPlan
    config: Config
    job_id: str
    journal: JournalReader


class Stand:
    """An embedded stack in a folder of its own, empty at the start."""

    def __init__(
        self,
        home: Path,
        task_managers: int,
        say: Callable[[str], None],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Describe it; `with` starts it. `settings` are Flink's, over those of flink-conf."""
        self.say = say
        self.stack = LocalStack(home / "stack", task_managers, flink_settings=settings, say=say)

    def __enter__(self) -> Self:
        self.stack.home.mkdir(parents=True, exist_ok=True)
        self.stack.erase()
        self.stack.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.stop()

    @contextlib.contextmanager
    def job(
        self,
        plan: JobPlan,
        environment: dict[str, str] | None = None,
        through: Callable[[str], str] = str,
    ) -> Iterator[RunningJob]:
        """Serve the agent, run the job; afterwards both are ended. `through` gives the job another
        endpoint than the agent's own, which leads to it.
        """
        stack = self.stack
        self.say(f"starting job {plan.label} ({plan.profile}, parallelism {plan.parallelism})")
        arguments = plan.arguments
        if arguments is None:
            arguments = ("--delay-ms", str(plan.delay_ms))
        endpoint = stack.agents.start(plan.label, plan.script, arguments, environment=environment)
        config = plan.config(stack.kafka.bootstrap, through(endpoint))
        file = stack.home / f"{plan.label}.toml"
        file.write_text(to_toml(config), encoding="utf-8")
        job_id = submit(stack.flink, SCRIPT, ["--config", str(file)])
        stack.flink.rest.await_running(job_id)
        reader = JournalReader(
            config.kafka.servers,
            config.topic_names.journal,
            config.kafka.partitions,
        )
        try:
            yield RunningJob(plan, config, job_id, reader)
        finally:
            reader.close()
            stack.flink.rest.cancel(job_id)
            stack.agents.stop(plan.label)

    def processes(self) -> dict[str, list[int]]:
        """Return the process ids of everything that works for a turn, by role."""
        return processes_of(self.stack)


def processes_of(stack: LocalStack) -> dict[str, list[int]]:
    """Return the process ids of everything on a stack that works for a turn, by role."""
    found: dict[str, list[int | None]] = {
        "kafka": [stack.kafka.pid],
        "jobmanager": [stack.flink.job_manager_pid],
        "taskmanager": [*stack.task_manager_pids()],
        "worker": [*stack.python_worker_pids()],
        "agent": [stack.agents.pid(name) for name in stack.agents.names()],
    }
    return {name: [pid for pid in pids if pid is not None] for name, pids in found.items()}


def to_toml(config: Config) -> str:
    """Write a configuration as headgate.toml, with dotted keys.

    >>> to_toml(Config()).splitlines()[0]
    'kafka.bootstrap = "127.0.0.1:9092"'
    """
    return "".join(f"{line}\n" for line in _lines("", config.model_dump(mode="json")))


def _lines(path: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} = {_literal(value)}"
        return
    for name, part in value.items():
        if part is not None:
            yield from _lines(f"{path}.{name}" if path else name, part)


def _literal(value: Any) -> str:
    match value:
        case dict():
            parts = (f"{k} = {_literal(v)}" for k, v in value.items() if v is not None)
            return "{" + ", ".join(parts) + "}"
        case list():
            return "[" + ", ".join(map(_literal, value)) + "]"
        case _:
            return json.dumps(value)  # strings, numbers and booleans read the same in TOML
