"""Restate's server and the peer's agent as child processes, on loopback only."""

import http.client
import json
import os
import shutil
from pathlib import Path
from typing import Self

from benchmarks.restate.install import Installed
from headgate.local.ports import LOOPBACK, accepts_connections, free_ports
from headgate.local.process import Child, Family

START_SECONDS = 60.0
REQUEST_SECONDS = 30.0
HERE = Path(__file__).parent


class Restate:
    """One server with one deployment; its data are new at every start."""

    def __init__(self, installed: Installed, folder: Path, delay_ms: float, workers: int) -> None:
        """Describe it; `with` starts it. `workers` are the agent's processes."""
        self._installed = installed
        self._folder = folder
        self._delay_ms = delay_ms
        self._workers = workers
        self._family: Family | None = None
        self._children: dict[str, Child] = {}
        self.ingress_port, self._admin_port, self._node_port, self._agent_port = free_ports(4)

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        self._family = Family()
        try:
            self._start(self._family)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._family is not None:
            self._family.end(*self._children.values())
            self._family.close()
            self._family = None

    def processes(self) -> dict[str, list[int]]:
        """Return the process ids of everything that works for a turn, by role."""
        import psutil

        agent = psutil.Process(self._children["agent"].pid)
        agents = [agent.pid, *(child.pid for child in agent.children(recursive=True))]
        return {"server": [self._children["server"].pid], "agent": agents}

    def _start(self, family: Family) -> None:
        server = [str(self._installed.server), "--no-logo", "--listen-mode", "tcp"]
        server += ["--bind-ip", LOOPBACK, "--advertised-host", LOOPBACK]
        server += ["--bind-port", str(self._node_port), "--node-name", "bench"]
        server += ["--base-dir", str(self._folder / "data")]
        settings = {
            "RESTATE_INGRESS__BIND_PORT": str(self.ingress_port),
            "RESTATE_ADMIN__BIND_PORT": str(self._admin_port),
            "RESTATE_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            "RESTATE_LOG_FILTER": "warn",
        }
        self._children["server"] = family.spawn(
            "restate",
            server,
            log=self._folder / "server.log",
            environment={**os.environ, **settings},
            folder=self._folder,
        )
        # As its documentation advises for production: no bound on streams and requests.
        configuration = self._folder / "hypercorn.toml"
        configuration.write_text(
            f'bind = "{LOOPBACK}:{self._agent_port}"\n'
            "h2_max_concurrent_streams = 2147483647\n"
            "keep_alive_max_requests = 2147483647\n"
            "keep_alive_timeout = 2147483647\n"
            f"workers = {self._workers}\n",
            encoding="utf-8",
        )
        agent = [str(self._installed.python), "-m", "hypercorn"]
        agent += ["--config", str(configuration), "service:app"]
        self._children["agent"] = family.spawn(
            "restate-agent",
            agent,
            log=self._folder / "agent.log",
            environment={**os.environ, "DELAY_MS": str(self._delay_ms), "PYTHONPATH": str(HERE)},
            folder=self._folder,
        )
        self._children["agent"].await_ready(
            lambda: accepts_connections(self._agent_port), START_SECONDS
        )
        self._children["server"].await_ready(self._is_registered, START_SECONDS)

    def _is_registered(self) -> bool:
        """Register the deployment; False while the server does not take it yet."""
        body = json.dumps({"uri": f"http://{LOOPBACK}:{self._agent_port}"})
        connection = http.client.HTTPConnection(LOOPBACK, self._admin_port, timeout=REQUEST_SECONDS)
        try:
            connection.request("POST", "/deployments", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            return False
        # The admin API is up before the ingress is.
        return accepts_connections(self.ingress_port)
