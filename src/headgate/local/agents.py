"""Agent services as child processes of the stack."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from headgate.errors import HeadgateError
from headgate.local.ports import LOOPBACK, accepts_connections, free_ports
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor

START_SECONDS = 30.0
CHECK_SECONDS = 1.0
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
# HealthCheckResponse{status: SERVING} on the wire: without stubs, so that a service is awaited with
# nothing but grpc installed.
SERVING = b"\x08\x01"


class Agents:
    """Agent services that are started again, on the same port, when they die."""

    def __init__(self, family: Family, supervisor: Supervisor, logs: Path) -> None:
        """Log below `logs`, one file per service."""
        self._family = family
        self._supervisor = supervisor
        self._logs = logs
        self._ports: dict[str, int] = {}

    def start(
        self,
        name: str,
        script: Path,
        arguments: Sequence[str] = (),
        *,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = START_SECONDS,
    ) -> str:
        """Run `python script --port N arguments`, wait until it is SERVING, return its endpoint."""
        if name in self._ports:
            message = f"an agent service named {name} runs already, at {self.endpoint(name)}"
            raise HeadgateError(message)
        port = port or free_ports(1)[0]
        command = [sys.executable, str(script.resolve()), "--port", str(port), *arguments]
        log = self._logs / f"agent-{name}.log"

        def spawn() -> Child:
            return self._family.spawn(name, command, log=log, environment=environment)

        self._supervisor.keep(_key(name), spawn)
        self._ports[name] = port
        try:
            self.await_serving(name, ready_seconds)
        except HeadgateError:
            self.stop(name)
            raise
        return self.endpoint(name)

    def endpoint(self, name: str) -> str:
        """Return the address of a service, the same across its restarts."""
        return f"{LOOPBACK}:{self._ports[name]}"

    def names(self) -> list[str]:
        """Return the names of the services."""
        return list(self._ports)

    def pid(self, name: str) -> int | None:
        """Return a service's process id, None while it is down."""
        return self._supervisor.pid(_key(name))

    def await_serving(self, name: str, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until the service's health is SERVING."""
        child = self._supervisor.child(_key(name))
        if child is None:
            message = f"the agent service {name} is not running"
            raise HeadgateError(message)
        child.await_ready(lambda: is_serving(self._ports[name]), timeout_seconds)

    def kill(self, name: str) -> int | None:
        """Kill a service with SIGKILL and return its process id; it is started again."""
        return self._supervisor.kill(_key(name))

    def stop(self, name: str) -> None:
        """End a service in order (it drains) and do not start it again."""
        del self._ports[name]
        self._supervisor.end(_key(name))

    def stop_all(self) -> None:
        """End all services in order."""
        for name in self.names():
            self.stop(name)


def is_serving(port: int) -> bool:
    """Tell whether the service on this loopback port reports SERVING."""
    if not accepts_connections(port):
        return False
    import grpc

    with grpc.insecure_channel(f"{LOOPBACK}:{port}") as channel:
        check = channel.unary_unary(HEALTH_CHECK)
        try:
            answer: bytes = check(b"", timeout=CHECK_SECONDS)
        except grpc.RpcError:
            return False
    return answer == SERVING


def _key(name: str) -> str:
    return f"agent-{name}"
