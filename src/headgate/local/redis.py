"""A Redis server for streams and state: it keeps what it has in a file to which it appends.

It asks nobody who they are, and listens on loopback only.
"""

import shutil
import signal
from pathlib import Path
from typing import Literal

from headgate.errors import HeadgateError
from headgate.local.ports import LOOPBACK, accepts_connections, remembered_ports
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor

NAME = "redis"
PORT = 6379
# Milliseconds alone; reading a large file back takes seconds.
START_SECONDS = 60.0


class NoRedisServerError(HeadgateError):
    """There is no `redis-server` on the PATH.

    Operator action: install it; on Debian and Ubuntu: apt-get install redis-server.
    """


def program() -> str:
    """Return the server's path; raises NoRedisServerError."""
    found = shutil.which("redis-server")
    if found is None:
        message = "found no 'redis-server' on the PATH; on Debian: apt-get install redis-server"
        raise NoRedisServerError(message)
    return found


class Redis:
    """A Redis server that is started again, with its port and its data, when it dies."""

    def __init__(
        self,
        family: Family,
        supervisor: Supervisor,
        home: Path,
        port: int | None = None,
        *,
        flush: Literal["always", "everysec"] = "always",
    ) -> None:
        """Choose a port where none is given; `home` keeps the data.

        flush: everysec is Redis' own default, and loses what it has acknowledged when it is killed
            in the midst of flushing: up to two seconds of it.
        """
        self._flush = flush
        self._family = family
        self._supervisor = supervisor
        self._home = home
        self._port = port or remembered_ports(home / "ports", 1)[0]
        self._program = program()

    @property
    def url(self) -> str:
        """Its address, as `redis.url` says it."""
        return f"redis://{LOOPBACK}:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it is down."""
        return self._supervisor.pid(NAME)

    def launch(self) -> None:
        """Start the server without waiting for it."""
        (self._home / "data").mkdir(parents=True, exist_ok=True)
        self._supervisor.keep(NAME, self._spawn)

    def await_serving(self, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until the server, perhaps the successor of one that was killed, serves."""
        self._supervisor.await_ready(NAME, self._serves, timeout_seconds, self._home / "redis.log")

    def kill(self) -> int | None:
        """Kill the server with SIGKILL and return its process id; it is started again."""
        return self._supervisor.kill(NAME)

    def pause(self) -> None:
        """Let it hang: connections stay, nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server and do not start it again."""
        self._supervisor.end(NAME)

    def _spawn(self) -> Child:
        command = [self._program, "--port", str(self._port), "--bind", LOOPBACK]
        command += ["--dir", "data", "--appendonly", "yes", "--save", ""]
        command += ["--appendfsync", self._flush, "--loglevel", "notice"]
        return self._family.spawn(NAME, command, log=self._home / "redis.log", folder=self._home)

    def _serves(self) -> bool:
        if not accepts_connections(self._port):
            return False
        import redis

        with redis.Redis(host=LOOPBACK, port=self._port, socket_timeout=1.0) as client:
            try:
                # While it reads its file it answers that it does.
                return bool(client.ping())
            except redis.RedisError:
                return False

    def _signal(self, number: int) -> None:
        child = self._supervisor.child(NAME)
        if child is not None and child.is_alive():
            child.popen.send_signal(number)
