"""The history service as a child process of the stack."""

import os
import sys
from pathlib import Path

from headgate.bootstrap import Bootstrap
from headgate.local.agents import is_serving
from headgate.local.ports import LOOPBACK, remembered_ports
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor

NAME = "history"
HTTP_PORT, GRPC_PORT = 7090, 7091
# A second alone; as long as others need beside a Flink that starts on a busy machine.
START_SECONDS = 60.0


class History:
    """`headgate history serve` over a store below one folder; started again when it dies."""

    def __init__(
        self,
        family: Family,
        supervisor: Supervisor,
        home: Path,
        *,
        http_port: int | None = None,
        grpc_port: int | None = None,
    ) -> None:
        """Choose ports where none are given; ``home`` keeps the store, unless the configuration
        names another.
        """
        self._family = family
        self._supervisor = supervisor
        self._home = home
        chosen = remembered_ports(home / "ports", 2)
        self._http_port, self._grpc_port = http_port or chosen[0], grpc_port or chosen[1]

    @property
    def endpoint(self) -> str:
        """The address of its gRPC."""
        return f"{LOOPBACK}:{self._grpc_port}"

    @property
    def url(self) -> str:
        """The address of its HTTP."""
        return f"http://{LOOPBACK}:{self._http_port}"

    @property
    def pid(self) -> int | None:
        """The service's process id, None while it is down."""
        return self._supervisor.pid(NAME)

    def start(self, bootstrap: Bootstrap, config: Path, store: str | None = None) -> None:
        """Start it for the job of a configuration, and wait until it serves.

        store: None is SQLite in the service's own folder.
        """
        own = f"sqlite:///{self._home / 'history.db'}"
        command = [sys.executable, "-m", "headgate.cli.app", "history", "serve"]
        command += ["--config", str(config.resolve()), "--bootstrap", bootstrap.servers]
        command += ["--http-port", str(self._http_port), "--grpc-port", str(self._grpc_port)]

        # Not on the command line, which everybody on this machine may read: it may hold a password.
        environment = {**os.environ, "HEADGATE_HISTORY_STORE": store or own}

        def spawn() -> Child:
            log = self._home / "history.log"
            return self._family.spawn(NAME, command, log=log, environment=environment)

        self._supervisor.keep(NAME, spawn)
        self.await_serving()

    def await_serving(self, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until the service, perhaps the successor of one that was killed, serves."""
        log = self._home / "history.log"
        self._supervisor.await_ready(
            NAME, lambda: is_serving(self._grpc_port), timeout_seconds, log
        )

    def kill(self) -> int | None:
        """Kill it with SIGKILL and return its process id; it is started again."""
        return self._supervisor.kill(NAME)

    def stop(self) -> None:
        """End it and do not start it again."""
        self._supervisor.end(NAME)
