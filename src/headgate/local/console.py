"""The web console as a child process of the stack."""

import http.client
import sys
from pathlib import Path

from headgate.bootstrap import Bootstrap
from headgate.local.ports import LOOPBACK, remembered_ports
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor

NAME = "console"
PORT = 7060
# Two seconds alone; as long as others need beside a Flink that starts on a busy machine.
START_SECONDS = 60.0
# It answers this question at once, or is not there yet.
PROBE_SECONDS = 1.0


class Console:
    """`headgate ui` on loopback; started again when it dies."""

    def __init__(
        self, family: Family, supervisor: Supervisor, home: Path, port: int | None = None
    ) -> None:
        """Choose a port where none is given; ``home`` keeps the log."""
        self._family = family
        self._supervisor = supervisor
        self._home = home
        self._port = port or remembered_ports(home / "ports", 1)[0]

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The console's process id, None while it is down."""
        return self._supervisor.pid(NAME)

    def start(self, bootstrap: Bootstrap, config: Path, flink: str, history: str) -> None:
        """Start it for the job of a configuration, and wait until it serves.

        flink: URL of the JobManager's REST. history: HOST:PORT of the history service's gRPC, or
        "".
        """
        command = [sys.executable, "-m", "headgate.cli.app", "ui", "--host", LOOPBACK]
        command += ["--port", str(self._port), "--config", str(config.resolve())]
        command += ["--bootstrap", bootstrap.servers, "--flink", flink]
        command += ["--history", history] if history else []
        log = self._home / "console.log"

        def spawn() -> Child:
            return self._family.spawn(NAME, command, log=log)

        self._supervisor.keep(NAME, spawn)
        self._supervisor.await_ready(NAME, self._is_serving, START_SECONDS, log)

    def stop(self) -> None:
        """End it and do not start it again."""
        self._supervisor.end(NAME)

    def _is_serving(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/health")
            # 401: a console that asks who one is, and serves.
            return connection.getresponse().status in {200, 401}
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
