"""A real Temporal server for tests: built once with Go, kept, and started on ports of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from headgate.local.ports import free_ports

VERSION = "v1.32.0"
BINARY = Path(__file__).parents[2] / ".headgate" / "temporal" / VERSION / "server"
BUILD_SECONDS = 1_200
START_SECONDS = 60
NAMESPACE = "default"

CONFIG = """
log: {{stdout: true, level: warn}}
persistence:
  defaultStore: main
  visibilityStore: visibility
  numHistoryShards: 1
  datastores:
    main:
      sql: &sql
        pluginName: sqlite
        databaseName: main.db
        connectAddr: localhost
        connectProtocol: tcp
        connectAttributes: {{setup: "true"}}
        maxConns: 1
        maxIdleConns: 1
    visibility:
      sql: {{<<: *sql, databaseName: visibility.db}}
global:
  membership: {{maxJoinDuration: 30s, broadcastAddress: "127.0.0.1"}}
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
    active: {{enabled: true, initialFailoverVersion: 1, rpcAddress: "127.0.0.1:{0}"}}
dcRedirectionPolicy: {{policy: noop}}
"""


class TemporalServer:
    """A server that may be killed and started again, over the same databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = free_ports(8)
        self.target = f"127.0.0.1:{ports[0]}"
        (folder / "config").mkdir(parents=True)
        (folder / "config" / "dev.yaml").write_text(CONFIG.format(*ports), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `client` waits until it serves."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary(), "--root", ".", "--config", "config", "--env", "dev",
                 "--allow-no-auth", "start"],
                cwd=self._folder, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def client(self) -> Client:
        """Connect once it serves, and make the namespace."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            try:
                client = await Client.connect(self.target, namespace=NAMESPACE)
                request = RegisterNamespaceRequest(namespace=NAMESPACE)
                request.workflow_execution_retention_period.FromSeconds(86_400)
                await client.workflow_service.register_namespace(request)
            except RPCError as error:
                if error.status is RPCStatusCode.ALREADY_EXISTS:
                    return client
            except RuntimeError:
                pass
            assert asyncio.get_running_loop().time() < deadline, "Temporal does not serve"
            await asyncio.sleep(0.2)


def binary() -> str:
    """Return the server's path; built if it is not there yet, skipped where it cannot be."""
    if not BINARY.is_file():
        go = shutil.which("go")
        if go is None:
            pytest.skip("a real Temporal server is built with Go, which is not installed (golang)")
        BINARY.parent.mkdir(parents=True, exist_ok=True)
        built = subprocess.run(
            [go, "install", f"go.temporal.io/server/cmd/server@{VERSION}"],
            env={**os.environ, "GOFLAGS": "-mod=mod", "GOBIN": str(BINARY.parent)},
            capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
        )  # fmt: skip
        if built.returncode:
            pytest.skip(f"the Temporal server could not be built: {built.stderr[-300:]}")
    return str(BINARY)
