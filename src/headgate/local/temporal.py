"""A Temporal server, all four of its services in one process, for agents and workers beside it.

It asks nobody who they are, and listens on loopback only. Workflows are kept in SQLite, across
restarts of the stack.
"""

import os
from pathlib import Path

from headgate.local.ports import LOOPBACK, accepts_connections, remembered_ports
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor

NAME = "temporal"
NAMESPACE = "default"
# Under a second alone; as long as others need beside a Flink that starts on a busy machine.
START_SECONDS = 60.0
POLL_SECONDS = 0.05
CALL_SECONDS = 5.0

# Without Temporal's stubs, so that the stack needs nothing but grpc: HealthCheckRequest{service},
# HealthCheckResponse{status: SERVING}, and RegisterNamespaceRequest{namespace, retention: 3 days}.
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVICE = b"temporal.api.workflowservice.v1.WorkflowService"
SERVING = b"\x08\x01"
REGISTER = "/temporal.api.workflowservice.v1.WorkflowService/RegisterNamespace"
REGISTRATION = b"\x0a%c%b\x22\x04\x08\x80\xe9\x0f" % (len(NAMESPACE), NAMESPACE.encode())

CONFIG = """\
log: {{stdout: true, level: warn}}
persistence:
  defaultStore: main
  visibilityStore: visibility
  numHistoryShards: 1
  datastores:
    main:
      sql: &sql
        pluginName: sqlite
        databaseName: data/main.db
        connectAddr: localhost
        connectProtocol: tcp
        # As its makers' own settings for a file: written ahead, and flushed at each commit.
        connectAttributes: {{setup: "true", journal_mode: wal, synchronous: "2"}}
        # SQLite has one writer at a time; more connections only wait for its lock, or give up.
        maxConns: 1
        maxIdleConns: 1
    visibility:
      sql: {{<<: *sql, databaseName: data/visibility.db}}
global:
  membership: {{maxJoinDuration: 30s, broadcastAddress: "{host}"}}
services:
  frontend: {{rpc: {{grpcPort: {0}, membershipPort: {1}, bindOnLocalHost: true}}}}
  matching: {{rpc: {{grpcPort: {2}, membershipPort: {3}, bindOnLocalHost: true}}}}
  history: {{rpc: {{grpcPort: {4}, membershipPort: {5}, bindOnLocalHost: true}}}}
  worker: {{rpc: {{grpcPort: {6}, membershipPort: {7}, bindOnLocalHost: true}}}}
clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active: {{enabled: true, initialFailoverVersion: 1, rpcAddress: "{host}:{0}"}}
dcRedirectionPolicy: {{policy: noop}}
"""


class Temporal:
    """A Temporal server that is started again, with its ports and its workflows, when it dies."""

    def __init__(self, family: Family, supervisor: Supervisor, home: Path, program: Path) -> None:
        """Choose the ports; `home` keeps the data, `program` is the server's."""
        self._family = family
        self._supervisor = supervisor
        self._home = home
        self._program = program
        self._ports = remembered_ports(home / "ports", 8)

    @property
    def target(self) -> str:
        """The address of its frontend, HOST:PORT, for `Client.connect`."""
        return f"{LOOPBACK}:{self._ports[0]}"

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it is down."""
        return self._supervisor.pid(NAME)

    def launch(self) -> None:
        """Start the server without waiting for it."""
        (self._home / "data").mkdir(parents=True, exist_ok=True)
        (self._home / "config").mkdir(exist_ok=True)
        text = CONFIG.format(*self._ports, host=LOOPBACK)
        (self._home / "config" / "stack.yaml").write_text(text, encoding="utf-8")
        self._supervisor.keep(NAME, self._spawn)

    def await_serving(self, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until the server, perhaps the successor of one that was killed, serves NAMESPACE."""
        log = self._home / "temporal.log"
        self._supervisor.await_ready(NAME, self._serves, timeout_seconds, log)

    def kill(self) -> int | None:
        """Kill the server with SIGKILL and return its process id; it is started again."""
        return self._supervisor.kill(NAME)

    def stop(self) -> None:
        """End the server and do not start it again."""
        self._supervisor.end(NAME)

    def _spawn(self) -> Child:
        command = [str(self._program), "--root", ".", "--config", "config", "--env", "stack"]
        return self._family.spawn(
            NAME,
            [*command, "--allow-no-auth", "start"],
            log=self._home / "temporal.log",
            # It would ask its makers for newer versions, and tell them of this one.
            environment={**os.environ, "TEMPORAL_VERSION_CHECK_DISABLED": "1"},
            folder=self._home,
        )

    def _serves(self) -> bool:
        if not accepts_connections(self._ports[0]):
            return False
        import grpc

        with grpc.insecure_channel(self.target) as channel:
            check = channel.unary_unary(HEALTH_CHECK)
            register = channel.unary_unary(REGISTER)
            try:
                named = b"\x0a%c%b" % (len(SERVICE), SERVICE)
                if check(named, timeout=CALL_SECONDS) != SERVING:
                    return False
                register(REGISTRATION, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                return bool(error.code() is grpc.StatusCode.ALREADY_EXISTS)
        # It is there for callers once it is there for us: a frontend reads new ones after a moment.
        return False
