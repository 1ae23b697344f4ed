"""Temporal's server and the peer's worker as child processes, on loopback only."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from benchmarks.stand import ROOT
from benchmarks.temporal.worker import QUEUE
from benchmarks.temporal.workflows import Steps
from headgate.local.ports import free_ports
from headgate.local.process import Child, Family
from tests.integration.temporal_server import CONFIG, VERSION

START_SECONDS = 60.0
NAMESPACE = "default"
# As its makers' own configuration for a file has it: flushed at each commit, and written ahead.
DATABASE = '{setup: "true", journal_mode: wal, synchronous: "2"}'
BUILT = ROOT / ".headgate" / "temporal" / VERSION / "server"


def install(say: Callable[[str], None]) -> Path:
    """Return the server, built with Go if it is not there yet; exits if there is no Go."""
    if not BUILT.is_file():
        go = shutil.which("go")
        if go is None:
            sys.exit("Temporal's server is built with Go, which is not on the PATH")
        say(f"building Temporal's server {VERSION} (once, some minutes)")
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        settings = {"GOFLAGS": "-mod=mod", "GOBIN": str(BUILT.parent)}
        command = [go, "install", f"go.temporal.io/server/cmd/server@{VERSION}"]
        done = subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return BUILT


class Temporal:
    """One server with one worker; its databases are new at every start."""

    def __init__(
        self,
        server: Path,
        folder: Path,
        environment: dict[str, str],
        through: Callable[[str], str] = str,
    ) -> None:
        """Describe it; `with` starts it. `through` gives the worker another address than the
        server's own, which leads to it.
        """
        self._server = server
        self._folder = folder
        self._environment = environment
        self._through = through
        self._family: Family | None = None
        self._children: dict[str, Child] = {}
        self._ports = free_ports(8)
        self.target = f"127.0.0.1:{self._ports[0]}"

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder / "config").mkdir(parents=True)
        settings = self._folder / "config" / "dev.yaml"
        text = CONFIG.format(*self._ports).replace('{setup: "true"}', DATABASE)
        settings.write_text(text, encoding="utf-8")
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
        """Return the process ids of everything that works for a step, by role."""
        return {name: [child.pid] for name, child in self._children.items()}

    def _start(self, family: Family) -> None:
        command = [str(self._server), "--root", ".", "--config", "config", "--env", "dev"]
        self._children["server"] = family.spawn(
            "temporal",
            [*command, "--allow-no-auth", "start"],
            log=self._folder / "server.log",
            # It would ask its makers for newer versions.
            environment={**os.environ, "TEMPORAL_VERSION_CHECK_DISABLED": "1"},
            folder=self._folder,
        )
        asyncio.run(self._await_server())
        worker = [sys.executable, "-m", "benchmarks.temporal.worker"]
        self._children["worker"] = family.spawn(
            "temporal-worker",
            [*worker, "--target", self._through(self.target)],
            log=self._folder / "worker.log",
            environment={**os.environ, **self._environment},
            folder=ROOT,
        )
        asyncio.run(self._await_worker())

    async def _await_server(self) -> None:
        """Wait until it serves, and make the namespace."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                client = await Client.connect(self.target)
                request = RegisterNamespaceRequest(namespace=NAMESPACE)
                request.workflow_execution_retention_period.FromSeconds(86_400)
                await client.workflow_service.register_namespace(request)
            except RPCError as error:
                if error.status is RPCStatusCode.ALREADY_EXISTS:
                    return
            except RuntimeError:
                pass
            if time.monotonic() > deadline:
                message = f"Temporal does not serve; see {self._folder / 'server.log'}"
                raise RuntimeError(message)
            await asyncio.sleep(0.2)

    async def _await_worker(self) -> None:
        """Run one workflow: from then on the worker is there."""
        client = await Client.connect(self.target)
        name = f"ready-{uuid.uuid4().hex}"
        running = client.execute_workflow(Steps.run, 1, id=name, task_queue=QUEUE)
        await asyncio.wait_for(running, START_SECONDS)
