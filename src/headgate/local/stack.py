"""`LocalStack`: Kafka, Flink, agents, perhaps Temporal and Redis, started and ended as one."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from headgate.errors import HeadgateError
from headgate.local import jars, scale, state_file, temporal_build
from headgate.local.agents import Agents
from headgate.local.beside import Beside
from headgate.local.command_service import CommandService
from headgate.local.console import Console
from headgate.local.flink import Flink
from headgate.local.history import History
from headgate.local.kafka import PLAIN_LISTENER, Kafka, Listener
from headgate.local.process import Family
from headgate.local.redis import Redis
from headgate.local.state_file import StackState
from headgate.local.supervisor import Supervisor
from headgate.local.temporal import Temporal

DEFAULT_HOME = Path(".headgate")


def _say_nothing(_: str) -> None:
    return


def _do_nothing() -> None:
    return


class LocalStack:
    """A Kafka server, a Flink cluster, Temporal and Redis servers if wanted, and agent services
    below one folder.

    >>> with LocalStack(Path(".headgate")) as stack:  # doctest: +SKIP
    ...     print(stack.kafka.bootstrap, stack.flink.rest_url)
    """

    kafka: Kafka
    flink: Flink
    agents: Agents
    beside: Beside

    def __init__(
        self,
        home: Path = DEFAULT_HOME,
        task_managers: int = 1,
        *,
        flink_settings: Mapping[str, str] | None = None,
        kafka_port: int | None = None,
        kafka_listener: Listener = PLAIN_LISTENER,
        temporal: bool = False,
        jars_folder: Path | None = None,
        say: Callable[[str], None] = _say_nothing,
    ) -> None:
        """Describe a stack; nothing is started before `start()`."""
        self.home = home.resolve()
        self.job: str | None = None
        # Called when Flink has ended and Kafka still serves: what the job left there can be ended.
        self.when_flink_ended: Callable[[], None] = _do_nothing
        self._task_managers = task_managers
        self._flink_settings = flink_settings
        self._kafka_port = kafka_port
        self._kafka_listener = kafka_listener
        self._has_temporal = temporal
        self._jars_folder = jars_folder
        self._say = say
        self._lock = -1
        self._family: Family | None = None
        self._supervisor: Supervisor | None = None
        self._state: StackState | None = None

    def start(self, prepare: Callable[[Self], None] | None = None) -> Self:
        """Start everything and wait until it serves; raises StackRunningError if one runs already.

        `prepare` (create topics, submit a job) is called before others see the stack as running.
        """
        self._lock = state_file.acquire(self.home)
        try:
            self._start()
            if prepare is not None:
                prepare(self)
            self._write_state("running")
        except BaseException:  # Ctrl-C during the start must not leave half a stack either
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything in order, Kafka last; harmless if nothing runs."""
        if self._family is not None and self._supervisor is not None:
            self._write_state("stopping")
            self._supervisor.stop()
            self.agents.stop_all()
            self.beside.stop_readers()
            self.flink.stop()
            try:
                self.when_flink_ended()
            finally:
                self.beside.stop_servers()
                self.kafka.stop()
                self._family.close()
                self._family = None
        if self._lock >= 0:
            (self.home / "stack.json").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1

    def start_history(
        self,
        config: Path,
        *,
        store: str | None = None,
        http_port: int | None = None,
        grpc_port: int | None = None,
    ) -> History:
        """Start the history service of a configuration's job; see `Beside`."""
        bootstrap = self._started().kafka.bootstrap
        return self.beside.start_history(
            bootstrap, config, store=store, http_port=http_port, grpc_port=grpc_port
        )

    def start_console(self, config: Path, port: int | None = None) -> Console:
        """Start the web console of a configuration's job; see `Beside`."""
        started = self._started()
        return started.beside.start_console(
            started.kafka.bootstrap, config, started.flink.rest_url, port
        )

    def start_temporal(self) -> Temporal:
        """Start a Temporal server beside the rest; see `Beside`."""
        return self._started().beside.start_temporal()

    def start_redis(self, port: int | None = None) -> Redis:
        """Start a Redis server beside the rest; see `Beside`."""
        return self._started().beside.start_redis(port)

    def start_redis_service(self, verb: Literal["feed", "intake"], config: Path) -> CommandService:
        """Start `headgate redis VERB` for a configuration's job; see `Beside`."""
        bootstrap = self._started().kafka.bootstrap
        return self.beside.start_redis_service(verb, bootstrap, config)

    def start_trace_export(self, config: Path) -> CommandService:
        """Start `headgate trace export` for a configuration's job; see `Beside`."""
        return self.beside.start_trace_export(self._started().kafka.bootstrap, config)

    @property
    def is_started(self) -> bool:
        """Tell whether this object has processes to end."""
        return self._family is not None

    def erase(self) -> None:
        """Delete the data of a stack that is not running: topics, checkpoints, workflows, logs."""
        descriptor = state_file.acquire(self.home)
        try:
            # Not all of temporal/: the program that was built may be in there.
            for name in (
                "kafka",
                "flink",
                "history",
                "redis",
                "trace",
                "temporal/data",
                "logs",
                "upgrade",
            ):
                shutil.rmtree(self.home / name, ignore_errors=True)
        finally:
            os.close(descriptor)

    def task_manager_pids(self) -> list[int]:
        """Return the process ids of the living TaskManagers."""
        return self.flink.task_manager_pids()

    def python_worker_pids(self) -> list[int]:
        """Return the process ids of the Python workers of process-mode operators."""
        return self.flink.python_worker_pids()

    def kill_task_manager(self, index: int = 0) -> int:
        """Kill a TaskManager with SIGKILL and return its process id; it is replaced."""
        return self.flink.kill_task_manager(index)

    def restarts(self) -> dict[str, int]:
        """Return how often each TaskManager, agent service and Temporal was started again."""
        return self._supervisor.restarts() if self._supervisor else {}

    def publish_state(self) -> None:
        """Bring `stack.json` up to date: process ids, agents and the job; start the TaskManagers
        that an upgrade has asked for.
        """
        self._started().flink.grow(scale.wanted_in(self.home) or 0)
        self._write_state("running")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _started(self) -> Self:
        if self._family is None:
            message = "the stack has not been started"
            raise HeadgateError(message)
        return self

    def _start(self) -> None:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._state = StackState(os.getpid(), "starting", started_at=started)
        self._state.write(self.home)
        scale.forget(self.home)
        folder = jars.fetch(self._jars_folder, self._say)
        if self._has_temporal:
            # Before anything runs: it takes minutes the first time, or cannot be done at all.
            temporal_build.build(say=self._say)
        family = Family(self._lock)
        supervisor = Supervisor(family)
        self._family = family
        self.kafka = Kafka(
            family,
            self.home / "kafka",
            folder / "kafka",
            self._kafka_port,
            self._kafka_listener,
        )
        self.flink = Flink(
            family,
            supervisor,
            self.home / "flink",
            folder / "flink",
            task_managers=self._task_managers,
            settings=self._flink_settings,
        )
        self.agents = Agents(family, supervisor, self.home / "logs")
        self.beside = Beside(family, supervisor, self.home, self._say)
        self._supervisor = supervisor
        self._say(f"starting Kafka{', Temporal' if self._has_temporal else ''} and Flink")
        self.kafka.launch()
        self.flink.launch()
        self.kafka.await_serving()
        self.flink.await_serving()
        if self._has_temporal:
            self.start_temporal()

    def _write_state(self, phase: str) -> None:
        if self._state is None:
            return
        pids = {"kafka": self.kafka.pid, "jobmanager": self.flink.job_manager_pid}
        for index, pid in enumerate(self.flink.task_manager_pids()):
            pids[f"taskmanager-{index}"] = pid
        pids |= self.beside.pids()
        for name in self.agents.names():
            pids[f"agent-{name}"] = self.agents.pid(name)
        self._state = dataclasses.replace(
            self._state,
            phase=phase,
            kafka_bootstrap=self.kafka.bootstrap.servers,
            flink_rest_url=self.flink.rest_url,
            pids={name: pid for name, pid in pids.items() if pid is not None},
            agents={name: self.agents.endpoint(name) for name in self.agents.names()},
            metrics=self.flink.metrics_urls,
            job=self.job,
            **self.beside.addresses(),
        )
        self._state.write(self.home)
