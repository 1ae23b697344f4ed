"""A Flink cluster from the wheel: one JobManager and some TaskManagers as child processes.

All servers of ours listen on loopback. Six of a TaskManager's do not: Apache Beam opens gRPC
servers for each process-mode Python worker on every interface, at random ports, and neither Beam
nor Flink has a setting for it. On a network that is not trusted, a firewall has to close them.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import psutil

from headgate.errors import HeadgateError
from headgate.local import flink_home, reporter
from headgate.local.jars import require_java, settings_folder
from headgate.local.ports import LOOPBACK, free_ports, remembered_ports
from headgate.local.process import Child, Family
from headgate.local.rest import FlinkRest
from headgate.local.supervisor import Supervisor

START_SECONDS = 90.0
WORKING = "tmp-by-such-a-long-name-that-rocksdb-keeps-its-logs-beside-its-data"
"""Where TaskManagers work. Each RocksDB logs into Flink's log folder, in a file named by the whole
path of its data, unless Flink finds that path too long: more than 251 characters, of which 196 were
below the folder of a stack when this was called "tmp". What Flink does not see is that a restore
from a checkpoint to another parallelism opens databases one folder deeper: names got too long, and
the job restarted for ever. With this one, no stack's path is in between.
"""
JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
JVM_PARAMETERS = "org.apache.flink.runtime.util.bash.BashJavaUtils"
RESULT_MARK = "BASH_JAVA_UTILS_EXEC_RESULT:"
# The JobManager coordinates and the client lives for seconds: the fast compiler alone and the plain
# collector halve the CPU of their start (5.4-6.6 against 3.1-3.7 s). TaskManagers do the work and
# get neither.
LIGHT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
WORKER_MODULE = "pyflink.fn_execution.beam.beam_boot"


class Flink:
    """A session cluster on loopback; a TaskManager that dies is replaced."""

    entry_point = JOB_MANAGER
    # Of the JobManager, after Flink's own options: one of a single job passes the rest to the job.
    arguments: tuple[str, ...] = ()

    def __init__(
        self,
        family: Family,
        supervisor: Supervisor,
        home: Path,
        connectors: Path,
        *,
        task_managers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Lay out `home` and write the configuration; `settings` override flink-conf."""
        self._family = family
        self._supervisor = supervisor
        self._count = task_managers
        self.port, rpc_port = remembered_ports(home / "ports", 2)
        # Apart, for their number follows that of TaskManagers, and the others are to stay.
        self._metrics_ports = remembered_ports(home / "metrics-ports", 1 + task_managers)
        self.rest = FlinkRest(LOOPBACK, self.port)
        self.checkpoints = home / "checkpoints"
        self.savepoints = home / "savepoints"
        self.logs = home / "logs"
        self._configuration = home / "conf"
        # Beside the connectors: what is compiled once is shared as what is fetched once.
        compiled = reporter.build(connectors.parent / "reporter")
        self.distribution = flink_home.link_home(home / "dist", connectors, compiled)
        own = {
            "rest.port": str(self.port),
            "jobmanager.rpc.port": str(rpc_port),
            "io.tmp.dirs": str(home / WORKING),
            "execution.checkpointing.dir": self.checkpoints.as_uri(),
            "execution.checkpointing.savepoint-dir": self.savepoints.as_uri(),
            "metrics.reporter.prom.factory.class": reporter.FACTORY,
            "metrics.reporter.prom.host": LOOPBACK,
            **flink_home.python_settings(),
            **(settings or {}),
        }
        shared = settings_folder() / "config.yaml"
        self._settings = flink_home.write_configuration(self._configuration, shared, own)
        self.environment = flink_home.environment(self.distribution, self._configuration, self.logs)
        self._job_manager: Child | None = None

    @property
    def rest_url(self) -> str:
        """The address of the REST API and the web page."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def metrics_urls(self) -> dict[str, str]:
        """Where Prometheus finds each process's metrics."""
        names = ["jobmanager", *self._names()]
        return {
            name: f"http://{LOOPBACK}:{port}/metrics"
            for name, port in zip(names, self._metrics_ports, strict=True)
        }

    @property
    def job_manager_pid(self) -> int | None:
        """The JobManager's process id, None while it is down."""
        child = self._job_manager
        return child.pid if child and child.is_alive() else None

    def launch(self) -> None:
        """Start all processes without waiting for them."""
        (self._configuration.parent / WORKING).mkdir(parents=True, exist_ok=True)
        self.launch_job_manager()
        for index in range(self._count):
            name = f"taskmanager-{index}"
            self._supervisor.keep(name, partial(self._start_task_manager, name))

    def launch_job_manager(self) -> None:
        """Start the JobManager (again) without waiting for it. One that was killed remembers its
        jobs only where `high-availability.type` is set.
        """
        command = self.java("jobmanager", self.entry_point, "GET_JM_RESOURCE_PARAMS", *LIGHT)
        command += [*_metrics_port(self._metrics_ports[0]), *self.arguments]
        self._job_manager = self._spawn("jobmanager", command)

    def kill_job_manager(self) -> None:
        """End the JobManager as a crash would, with SIGKILL; nobody replaces it by itself."""
        if self._job_manager is not None:
            self._family.bury(self._job_manager)

    def grow(self, task_managers: int) -> None:
        """Start more TaskManagers, up to so many in all; those that run are left alone."""
        more = task_managers - self._count
        if more <= 0:
            return
        self._metrics_ports += free_ports(more)
        self._count = task_managers
        for name in self._names()[-more:]:
            self._supervisor.keep(name, partial(self._start_task_manager, name))

    def await_serving(self, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until every TaskManager is registered."""
        if self._job_manager is None:
            message = "Flink has not been started"
            raise HeadgateError(message)
        self._job_manager.await_ready(
            lambda: self.rest.registered_task_managers() >= self._count, timeout_seconds
        )

    def stop(self) -> None:
        """End every process in order; the supervisor must have stopped before."""
        children = [child for name in self._names() if (child := self._supervisor.child(name))]
        if self._job_manager is not None:
            children.append(self._job_manager)
        self._family.end(*children)

    def task_manager_pids(self) -> list[int]:
        """Return the process ids of the living TaskManagers, by index."""
        children = [self._supervisor.child(name) for name in self._names()]
        return [child.pid for child in children if child and child.is_alive()]

    def python_worker_pids(self) -> list[int]:
        """Return the process ids of the Python workers (process mode) of all TaskManagers."""
        found: list[int] = []
        for pid in self.task_manager_pids():
            try:
                below = psutil.Process(pid).children(recursive=True)
                found += [process.pid for process in below if _is_worker(process)]
            except psutil.NoSuchProcess:
                continue
        return found

    def kill_task_manager(self, index: int = 0) -> int:
        """Kill TaskManager `index` with SIGKILL and return its process id; it is replaced."""
        killed = self._supervisor.kill(self._names()[index])
        if killed is None:
            message = f"TaskManager {index} is not running"
            raise HeadgateError(message)
        return killed

    def java(self, process: str, main: str, memory: str | None, *options: str) -> list[str]:
        """Return the command line that Flink's own scripts would build for `main`.

        Built here because those scripts start up to three JVMs to find it out: a second or more
        at each start, which would count towards the outage of every killed TaskManager.
        """
        dynamic: list[str] = []
        if memory is not None:
            jvm, flink = self._memory(memory)
            options = (*options, *jvm.split())
            dynamic = [*flink.split(), "--configDir", str(self._configuration)]
        command = flink_home.java(
            self.distribution,
            self._configuration,
            self._settings,
            self.logs / f"{process}.log",
            main,
            *options,
            is_server=memory is not None,
        )
        return [*command, *dynamic]

    def _names(self) -> list[str]:
        return [f"taskmanager-{index}" for index in range(self._count)]

    def _start_task_manager(self, name: str) -> Child:
        command = self.java(name, TASK_MANAGER, "GET_TM_RESOURCE_PARAMS", "-XX:+UseG1GC")
        command += _metrics_port(self._metrics_ports[1 + self._names().index(name)])
        return self._spawn(name, command)

    def _spawn(self, name: str, command: list[str]) -> Child:
        log = self.logs / f"{name}.out"
        return self._family.spawn(name, command, log=log, environment=self.environment)

    def _memory(self, what: str) -> tuple[str, str]:
        """Return Flink's split of a process size: JVM options and dynamic settings, cached."""
        own = {"rest.port", "jobmanager.rpc.port"}
        facts = {key: value for key, value in self._settings.items() if key not in own}
        digest = hashlib.sha256(json.dumps([what, facts], sort_keys=True).encode()).hexdigest()
        cache = self._configuration / f"memory-{digest[:16]}.json"
        if cache.is_file():
            jvm, flink = json.loads(cache.read_text(encoding="utf-8"))
            return jvm, flink
        jars = [*self.distribution.glob("bin/*.jar"), *self.distribution.glob("lib/flink-dist*")]
        jars += self.distribution.glob("lib/log4j-*.jar")
        command = [require_java(), "-cp", ":".join(map(str, jars)), JVM_PARAMETERS, what]
        command += ["--configDir", str(self._configuration)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        results = [line.removeprefix(RESULT_MARK) for line in lines if RESULT_MARK in line]
        if len(results) != 2:
            message = f"Flink does not accept its configuration:\n{done.stdout}{done.stderr}"
            raise HeadgateError(message)
        cache.write_text(json.dumps(results), encoding="utf-8")
        return results[0], results[1]


def _metrics_port(port: int) -> list[str]:
    # A TaskManager that is replaced is found where the lost one was.
    return ["-D", f"metrics.reporter.prom.port={port}"]


def _is_worker(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return command[1:3] == ["-m", WORKER_MODULE]
