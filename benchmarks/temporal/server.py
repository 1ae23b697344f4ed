"""Temporal's server, as the embedded stack has it, and the peer's worker: on loopback only."""

import asyncio
import os
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

from temporalio.client import Client

from benchmarks.stand import ROOT
from benchmarks.temporal.worker import QUEUE
from benchmarks.temporal.workflows import Steps
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor
from headgate.local.temporal import Temporal as Server
from headgate.local.temporal_build import build

START_SECONDS = 60.0


def install(say: Callable[[str], None]) -> Path:
    """Return the server's program, built with Go if it is not there yet."""
    return build(say=say)


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
        self._program = server
        self._folder = folder
        self._environment = environment
        self._through = through
        self._family: Family | None = None
        self._supervisor: Supervisor | None = None
        self._server: Server | None = None
        self._worker: Child | None = None
        self.target = ""

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._family = family = Family()
        self._supervisor = supervisor = Supervisor(family)
        try:
            self._server = server = Server(family, supervisor, self._folder, self._program)
            self.target = server.target
            server.launch()
            server.await_serving()
            worker = (sys.executable, "-m", "benchmarks.temporal.worker")
            self._worker = family.spawn(
                "temporal-worker",
                [*worker, "--target", self._through(self.target)],
                log=self._folder / "worker.log",
                environment={**os.environ, **self._environment},
                folder=ROOT,
            )
            asyncio.run(self._await_worker())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._family is None or self._supervisor is None:
            return
        self._supervisor.stop()
        if self._worker is not None:
            self._family.end(self._worker)
        if self._server is not None:
            self._server.stop()
        self._family.close()
        self._family = None

    def processes(self) -> dict[str, list[int]]:
        """Return the process ids of everything that works for a step, by role."""
        pids = {
            "server": self._server.pid if self._server else None,
            "worker": self._worker.pid if self._worker else None,
        }
        return {name: [pid] for name, pid in pids.items() if pid is not None}

    async def _await_worker(self) -> None:
        """Run one workflow: from then on the worker is there."""
        client = await Client.connect(self.target)
        name = f"ready-{uuid.uuid4().hex}"
        running = client.execute_workflow(Steps.run, 1, id=name, task_queue=QUEUE)
        await asyncio.wait_for(running, START_SECONDS)
